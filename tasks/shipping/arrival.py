"""An image that arrives on an engine: under a passing name, until it was looked at there."""

import re
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from typing import IO, cast

from invoke import Context, Exit
from msgspec import Struct

from ..engine import commands
from ..engine.names import being_built, for_the_time_being, repository_of
from ..host.shell import Failed, Show, run
from ..host.text import brief
from .host import Cargo, Host, same, stays
from .processes import Clients, Counted, Meter

TRIAL = "inv-ship-"  # the beginning of the name of a container that is created to see whether it can be

ABANDONED = 86_400.0  # seconds: such names are needed for a moment, but clocks differ


class Refused(Failed):
    """The host did not take what was sent; exit code 1."""

    def __init__(self, host: Host, said: str) -> None:
        self.why = brief(said or "docker load said nothing")
        super().__init__(f"{host.name or 'The engine'} did not take it: {self.why}.", said)


class Arrival(Struct, frozen=True):
    """An image that arrives on a host, under the name `passing` for the time being."""

    c: Context
    cargo: Cargo
    host: Host
    clients: Clients
    passing: str

    @classmethod
    def of(cls, c: Context, cargo: Cargo, host: Host, clients: Clients) -> "Arrival":
        key = f"{int(time.time()):08x}{secrets.token_hex(4)}"
        return cls(c, cargo, host, clients, for_the_time_being(cargo.reference, key))

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
        trial = f"{TRIAL}{self.passing.rpartition('-')[2]}"
        failed = f"{host} can make no container of {reference}."
        self.act(commands.create(trial, self.passing, ["--network", "none"], ["true"], {}), failed)
        self.act(commands.remove(trial), f"{trial} on {host} cannot be removed.")
        self.act(commands.tag_image(self.passing, reference), f"{reference} cannot be tagged on {host}.")

    def listed(self) -> bool:
        """Whether the engine counts the image as one that is here whole.

        containerd's store keeps one that lacks something, `docker load` ends well all the same, and no list shows it.
        """
        return any(self.passing in row.tags for row in self.host.engine.every_image())

    def discard(self) -> None:
        """Take away the passing name, and the image if it has no other."""
        with suppress(Exit):  # out of reach, perhaps: a later run takes it away
            if self.dry or stays(self.host.engine, self.passing):
                command = self.host.command(commands.remove_image(self.passing))
                run(self.c, command, f"{self.passing} cannot be removed.", self.host.environment, Show.STEP)


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
    writer = clients.start(arrival.host.command(commands.load()), arrival.host.environment)
    try:
        with suppress(BrokenPipeError):  # it says why
            done = write(cast(IO[bytes], Counted(writer.pipe, meter)))
            writer.fed = True
            writer.pipe.close()  # only now: what was cut off must not look whole
            meter.complete()
        code = writer.process.wait()
    except KeyboardInterrupt:
        clients.stop()
        raise
    finally:
        clients.end(writer)
        clients.check()
    if code:
        raise Refused(arrival.host, writer.words())
    return done


def begun(name: str) -> float:
    """When an arrival began, by its image's or its container's name, in seconds since 1970; never for another's."""
    found = re.search("-([0-9a-f]{8})[0-9a-f]{8}$", name)
    return float(int(found[1], 16)) if found else inf
