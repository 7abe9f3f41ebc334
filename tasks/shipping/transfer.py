"""One image to one host: streamed, looked at there, and only then given the name that people know."""

import secrets
import shlex
import subprocess
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import IO, cast

from invoke import Context, Exit
from msgspec import Struct

from ..engine import commands
from ..engine.names import BUILDING
from ..host.shell import Failed, Show, run
from ..host.text import brief, size
from .host import CLEAN, Cargo, Host, Need, same
from .processes import PATIENCE, Client, Clients, Counted, Meter
from .saved import Blob, Damaged, Saved, blobs_of
from .written import Archive, DockerArchive, OciArchive, rewrite

TRIAL = "inv-ship-"  # the beginning of the name of a container that is created to see whether it can be


class Transfer(Struct, frozen=True):
    """One image on its way to one host, under a `passing` name until it was looked at there."""

    c: Context
    cargo: Cargo
    host: Host
    need: Need
    clients: Clients
    meter: Meter
    passing: str

    @classmethod
    def of(cls, c: Context, cargo: Cargo, host: Host, need: Need, means: tuple[Clients, Meter]) -> "Transfer":
        name = f"{cargo.reference}{BUILDING}{secrets.token_hex(4)}"
        return cls(c, cargo, host, need, *means, name)

    @property
    def dry(self) -> bool:
        return bool(self.c.config.run.dry)

    def act(self, command: Sequence[str], failed: str) -> None:
        """Run a docker command on the host, or print it under `--dry`."""
        self.clients.check()
        run(self.c, self.host.command(command), failed, CLEAN, Show.STEP)

    def perform(self) -> None:
        """Bring the image, or leave the host as it was.

        Raises:
            Exit: with code 1 when it cannot be brought, 130 when the person says stop.
        """
        try:
            self.bring()
            self.look()
            reference = self.cargo.reference
            self.act(commands.tag_image(self.passing, reference), f"{reference} cannot be tagged on {self.host.name}.")
        finally:
            self.discard()

    def bring(self) -> None:
        """Stream what the host lacks; where that does not do, everything.

        containerd's store takes layers that it has under another digest (pulled from a registry, say) for missing.
        """
        missing = self.cargo.image.layers[self.need.held :]
        if self.need.containerd and self.need.held:
            try:
                self.stream(missing, lambda out: OciArchive(out, self.passing, by_layer(self.cargo)))
                if self.dry or self.listed():
                    return
                why = "they lie there under other digests"
            except Refused as refused:
                why = refused.why
            self.discard()
            whole = size(self.cargo.image.size)
            print(f"{self.host.name} cannot use the layers that it has ({why}): all {whole} are sent.", flush=True)
            missing = self.cargo.image.layers
        self.stream(missing, lambda out: DockerArchive(out, self.passing))

    def stream(self, missing: Collection[str], archive: Callable[[IO[bytes]], Archive]) -> None:
        """Run `docker save` here and `docker load` there, and rewrite what passes between them.

        Raises:
            Refused: when the host does not take it.
            Exit: with code 1 when it cannot be read here.
        """
        save, load = commands.save(self.cargo.reference), self.host.command(commands.load())
        print(f"{shlex.join(save)} | {shlex.join(load)}", flush=True)
        if self.dry:
            return
        self.meter.begin()
        reader = self.clients.start(save, self.cargo.engine.environment, feeds=True)
        try:
            writer = self.clients.start(load, CLEAN)
            try:
                saved = Saved(reader.pipe, self.cargo.image.layers, self.cargo.blobs)
                out = cast(IO[bytes], Counted(writer.pipe, self.meter))
                left = rewrite(saved, archive(out), missing)
                writer.pipe.close()  # only now: what was cut off must not look whole
                code = writer.process.wait()
                self.meter.leave(left)
            except BrokenPipeError:
                code = writer.process.wait()
            except Damaged as damaged:
                raise self.unreadable(damaged, reader) from None
            finally:
                self.clients.end(writer)
            self.clients.check()
            if code:
                raise Refused(self.host, writer.words())
        finally:
            self.clients.end(reader)
            self.clients.check()

    def unreadable(self, damaged: Damaged, reader: Client) -> Exit:
        """The sentence about an archive that this engine did not write to its end."""
        with suppress(subprocess.TimeoutExpired):
            if reader.process.wait(PATIENCE):
                return Exit(f"{self.cargo.reference} cannot be read from this engine: {brief(reader.words())}", code=1)
        return damaged

    def listed(self) -> bool:
        """Whether the engine counts the image that was loaded as one that is here whole."""
        return any(self.passing in row.tags for row in self.host.engine.every_image())

    def look(self) -> None:
        """Make sure that the host has this very image, and can make a container of it.

        Raises:
            Exit: with code 1 when it has not.
        """
        reference = self.cargo.reference
        if not self.dry:
            found = self.host.engine.image(self.passing)
            if not (found and self.listed() and same(self.host.engine, found, self.cargo)):
                raise Exit(f"{self.host.name} has made another image of {reference}: it is removed.", code=1)
        trial = f"{TRIAL}{self.passing.rpartition('-')[2]}"
        failed = f"{self.host.name} can make no container of {reference}."
        self.act(commands.create(trial, self.passing, ["--network", "none"], ["true"], {}), failed)
        self.act(commands.remove(trial), f"{trial} on {self.host.name} cannot be removed.")

    def discard(self) -> None:
        """Take away the passing name, and the image if it has no other."""
        with suppress(Exit):  # out of reach, perhaps: inv images shows it there, and inv prune takes it away
            if self.dry or self.host.engine.image(self.passing):
                command = self.host.command(commands.remove_image(self.passing))
                run(self.c, command, f"{self.passing} cannot be removed.", CLEAN, Show.STEP)


class Refused(Failed):
    """The host did not take what was sent; exit code 1."""

    def __init__(self, host: Host, said: str) -> None:
        self.why = brief(said or "docker load said nothing")
        super().__init__(f"{host.name} did not take it: {self.why}.", said)


def by_layer(cargo: Cargo) -> dict[str, Blob]:
    return {blob.layer: blob for blob in cargo.blobs.values()}


def with_blobs(cargo: Cargo, clients: Clients) -> Cargo:
    """The same image with its layers as containerd's store keeps them, if this engine has that: they may be compressed.

    `docker save` is read once more for it, up to where it says so.
    """
    from msgspec.structs import replace

    if not cargo.engine.facts().containerd:
        return cargo
    reader = clients.start(commands.save(cargo.reference), cargo.engine.environment, feeds=True)
    try:
        return replace(cargo, blobs=blobs_of(reader.pipe, cargo.image.layers))
    finally:
        clients.end(reader)
