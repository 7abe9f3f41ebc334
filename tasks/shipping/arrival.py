"""An image that arrives on an engine: under a passing name, until it was looked at there."""

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, cast

from invoke import Context, Exit
from msgspec import Struct

from ..engine import commands
from ..engine.names import for_the_time_being
from ..host.shell import Failed, Show, run
from ..host.text import brief
from .host import Cargo, Host, same, stays
from .processes import Clients, Counted, Meter

TRIAL = "inv-ship-"  # the beginning of the name of a container that is created to see whether it can be


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
        return cls(c, cargo, host, clients, for_the_time_being(cargo.reference, secrets.token_hex(4)))

    @property
    def dry(self) -> bool:
        return bool(self.c.config.run.dry)

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
        with suppress(Exit):  # out of reach, perhaps: inv images shows it there, and inv prune takes it away
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
