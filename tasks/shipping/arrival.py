"""An image that arrives on an engine: under a passing name, until it was looked at there."""

import re
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from typing import IO, cast

from invoke import Context, Exit
from msgspec import Struct

from ..engine import commands
from ..engine.names import being_built, for_the_time_being, repository_of
from ..host import signals
from ..host.saying import say
from ..host.shell import Failed, Show, run, survive
from ..host.text import brief
from .host import Cargo, Host, Need, same, stays
from .meter import Counted, Meter
from .processes import Clients

FULL = "no space left on device"
TRIES, PAUSE = 3, 0.2  # to take something away; seconds between two
TRIAL = "inv-ship-"  # the beginning of the name of a container that is created to see whether it can be

ABANDONED = 86_400.0  # seconds: such names are needed for a moment, but clocks differ


class Refused(Failed):
    """The host did not take what was sent; exit code 1."""

    def __init__(self, host: Host, said: str) -> None:
        self.full = FULL in said  # at the end of a long sentence
        self.why = FULL if self.full else brief(said or "docker load said nothing")
        super().__init__(f"{host.name or 'The engine'} did not take it: {self.why}.", said)


class Arrival(Struct, frozen=True):
    """An image that arrives on a host, under the name `passing` for the time being.

    `moved` is the id of the image there that is known to lose its name to it; "" for none.
    """

    c: Context
    cargo: Cargo
    host: Host
    clients: Clients
    passing: str
    moved: str = ""

    @classmethod
    def of(cls, c: Context, cargo: Cargo, to: tuple[Host, Need], clients: Clients) -> "Arrival":
        key = f"{int(time.time()):08x}{secrets.token_hex(4)}"
        host, need = to
        return cls(c, cargo, host, clients, for_the_time_being(cargo.reference, key), need.moved)

    @property
    def dry(self) -> bool:
        return bool(self.c.config.run.dry)

    def tidy(self) -> None:
        """Take away what a run left on the host that was killed, or cut off from it, more than a day ago."""
        engine, repository = self.host.engine, repository_of(self.cargo.reference)
        until = engine.now() - ABANDONED
        trials = [one.name for one in engine.containers() if one.state == "created" and one.name.startswith(TRIAL)]
        tags = [tag for row in engine.every_image() for tag in row.tags if being_built(tag)]
        found = [commands.remove(name) for name in trials if begun(name) < until]
        found += [commands.remove_image(tag) for tag in tags if repository_of(tag) == repository and begun(tag) < until]
        for command in found:
            with suppress(Failed):  # docker has said why
                self.act(command, "")

    def act(self, command: Sequence[str], failed: str) -> None:
        """Run a docker command on the host, or print it under `--dry`."""
        self.clients.check()
        run(self.c, self.host.command(command), failed, self.host.environment, Show.STEP)

    def conclude(self) -> None:
        """Make sure that the host has this very image and can make a container of it, and give it its name.

        Raises:
            Exit: with code 1 when it has not.
        """
        reference, host = self.cargo.reference, self.host.name or "The engine"
        if not self.dry:
            found = self.host.engine.image(self.passing)
            if not (found and self.listed() and same(self.host.engine, found, self.cargo)):
                raise Exit(f"{host} has made another image of {reference}: it is removed.", code=1)
        failed = f"{host} can make no container of {reference}."
        try:
            self.act(commands.create(self.trial, self.passing, ["--network", "none"], ["true"], {}), failed)
        finally:
            self.discard_trial()
        if not self.dry:
            named = self.host.engine.image(reference)
            if named and named.id != self.moved and not same(self.host.engine, named, self.cargo):
                say(f"{host}: somebody has called another image {reference} meanwhile; it loses that name.")
        self.act(commands.tag_image(self.passing, reference), f"{reference} cannot be tagged on {host}.")

    def listed(self) -> bool:
        """Whether the engine counts the image as one that is here whole.

        containerd's store keeps one that lacks something, `docker load` ends well all the same, and no list shows it.
        """
        return any(self.passing in row.tags for row in self.host.engine.every_image())

    @property
    def trial(self) -> str:
        return f"{TRIAL}{self.passing.rpartition('-')[2]}"

    def discard_trial(self) -> None:
        self.take_away(commands.remove(self.trial), lambda: self.host.engine.container(self.trial) is not None)

    def discard(self) -> None:
        """Take away the passing name, and the image if it has no other."""
        there = partial(stays, self.host.engine, self.passing)
        self.take_away(commands.remove_image(self.passing), there, self.discard_trial)

    def take_away(
        self, command: Sequence[str], there: Callable[[], bool], refused: Callable[[], None] = lambda: None
    ) -> None:
        """Run a docker command that takes something away, if it is there.

        Ctrl-C in a terminal ends docker's client too, and the engine may go on with what that had asked for. So it is
        tried again; `refused` is called before.
        """
        survive()
        if self.host.name in self.clients.lost:  # it would be waited for in vain; a later run takes it away
            return
        with signals.held(), suppress(Exit):  # out of reach, perhaps
            for _ in range(TRIES):
                if not self.dry and not there():
                    return
                with suppress(Failed):
                    failed = f"{command[-1]} cannot be removed."
                    run(self.c, self.host.command(command), failed, self.host.environment, Show.STEP)
                    return
                time.sleep(PAUSE)
                refused()


def feed(arrival: Arrival, meter: Meter, write: Callable[[IO[bytes]], int]) -> int:
    """Run `docker load` on a host, and write an archive into it.

    Args:
        write: writes it, and returns a number.

    Returns:
        That number.

    Raises:
        Refused: when the host does not take it.
        Damaged: as `write` does; the host has nothing of it.
    """
    clients, done = arrival.clients, 0
    host = arrival.host
    writer = clients.start(host.command(commands.load()), host.environment, engine=host.engine)
    out = Counted(writer, meter)
    try:
        try:
            done = write(cast(IO[bytes], out))
            writer.finish()  # only now: what was cut off must not look whole
            meter.complete()
        except BrokenPipeError:
            if not (out.broken or writer.fed):  # it is this program's own output that nobody reads
                raise
        code = writer.result()
    except KeyboardInterrupt:
        clients.stop()
        raise
    finally:
        clients.end(writer)
        clients.check()
    if writer.lost:
        clients.lost.add(host.name)
        later = " What it may still make of it goes with a later ship, on another day." if writer.fed else ""
        raise Exit(f"{host.name or 'The engine'} took nothing any more.{later} {writer.lost}", code=1)
    if code:
        raise Refused(host, writer.words())
    return done


def begun(name: str) -> float:
    """When an arrival began, by its image's or its container's name, in seconds since 1970; never for another's."""
    found = re.search("-([0-9a-f]{8})[0-9a-f]{8}$", name)
    return float(int(found[1], 16)) if found else inf
