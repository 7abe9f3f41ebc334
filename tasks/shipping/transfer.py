"""One image to one host: streamed from engine to engine, without the layers that are there."""

import shlex
import subprocess
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import IO, cast

from invoke import Context, Exit
from msgspec import Struct
from msgspec.structs import replace

from ..engine import commands
from ..host.saying import say
from ..host.text import brief, size
from .arrival import Arrival, Refused, feed
from .digests import lying
from .host import Cargo, Host, Need
from .meter import Meter
from .processes import PATIENCE, Client, Clients
from .saved import Blob, Damaged, Saved, blobs_of
from .source import LetGo, Source
from .written import Archive, DockerArchive, OciArchive, Unnamed, rewrite


class Transfer(Struct, frozen=True):
    """One image on its way to one host."""

    arrival: Arrival
    need: Need
    meter: Meter
    source: Source

    @classmethod
    def of(cls, c: Context, cargo: Cargo, to: tuple[Host, Need], means: tuple[Source, Meter]) -> "Transfer":
        source, meter = means
        return cls(Arrival.of(c, cargo, to, source.clients), to[1], meter, source)

    @property
    def cargo(self) -> Cargo:
        return self.arrival.cargo

    @property
    def host(self) -> Host:
        return self.arrival.host

    def perform(self) -> None:
        """Bring the image, or leave the host as it was.

        Raises:
            Exit: with code 1 when it cannot be brought, 130 when the person says stop.
        """
        try:
            self.arrival.tidy()
            self.bring()
            self.arrival.conclude()
        finally:
            self.source.leave(self.host.name)
            self.arrival.discard()

    def bring(self) -> None:
        """Stream what the host lacks; where that does not do, everything.

        Once all was sent, the host has the layers as they are here too, and the next version finds them.
        """
        layers = self.cargo.image.layers
        if not self.need.containerd:
            try:
                self.stream(layers[self.need.held :], self.docker_archive)
            except Refused as refused:
                sent = [blob for blob in self.cargo.blobs.values() if blob.layer in layers[self.need.held :]]
                if any(blob.kind.endswith("zstd") for blob in sent):
                    how = "Layers of it are compressed by zstd, which Docker 23.0 and newer read."
                    raise Exit(f"{refused.message} {how}", code=1) from None
                raise
        elif not (self.need.held and self.without_held()):
            try:
                self.stream(layers, self.oci_archive)
            except Unnamed:
                self.stream(layers, self.docker_archive)

    def without_held(self) -> bool:
        """Stream to a containerd store what it lacks. False when it cannot do with that; then it is as it was.

        The store takes a layer that lies there under another digest than the manifest says for missing.
        """
        layers, held = self.cargo.image.layers, self.need.held
        there = lying(self.arrival, self.meter, self.need.like, held)

        def archive(out: IO[bytes]) -> Archive:
            return self.oci_archive(out, there)

        try:
            self.stream([layer for layer in layers[held:] if layer not in layers[:held]], archive)
            if self.arrival.dry or self.arrival.listed():
                return True
            why = "they lie there under other digests"
        except Refused as refused:
            if refused.full:
                raise
            why = refused.why
        except Unnamed as unnamed:
            why = unnamed.message or ""
        self.arrival.discard()
        self.meter.left = 0
        whole = size(self.cargo.image.size)
        say(f"{self.host.name} cannot use the layers that it has ({why}): all {whole} are sent.")
        return False

    def docker_archive(self, out: IO[bytes]) -> Archive:
        return DockerArchive(out, self.arrival.passing)

    def oci_archive(self, out: IO[bytes], there: Mapping[str, Blob] = {}) -> Archive:
        """`there`: layers as they lie on the host, by layer."""
        here = {blob.layer: blob for blob in self.cargo.blobs.values()}
        return OciArchive(out, self.arrival.passing, here | {**there})

    def stream(self, missing: Collection[str], archive: Callable[[IO[bytes]], Archive]) -> None:
        """Run `docker save` here and `docker load` there, and rewrite what passes between them.

        Raises:
            Refused: when the host does not take it.
            Unnamed: as `OciArchive` does.
            Exit: with code 1 when it cannot be read here.
        """
        save, load = commands.save(self.cargo.reference), self.host.command(commands.load())
        say(f"{shlex.join(save)} | {shlex.join(load)}")
        if self.arrival.dry:
            return
        self.meter.begin()
        with self.source.reader(self.host.name) as reader:
            try:
                saved = Saved(cast(IO[bytes], reader), self.cargo.image.layers, self.cargo.blobs)

                def write(out: IO[bytes]) -> int:
                    return rewrite(saved, archive(out), missing)

                self.meter.leave(feed(self.arrival, self.meter, write))
                return
            except Unnamed:
                raise
            except Damaged as damaged:
                raise unreadable(self.cargo.reference, damaged, reader.client) from None
            except LetGo:
                say(f"{self.host.name} takes again: once more from the beginning, by itself.")
            finally:
                self.source.clients.check()
        self.stream(missing, archive)


def unreadable(reference: str, damaged: Damaged, reader: Client) -> Exit:
    """The sentence about an archive that this engine did not write to its end."""
    if reader.lost:
        return Exit(f"{reference} cannot be read any more. {reader.lost}", code=1)
    with suppress(subprocess.TimeoutExpired):
        if code := reader.process.wait(PATIENCE):
            why = brief(reader.words() or f"docker save ended with {code}")
            return Exit(f"{reference} cannot be read from this engine: {why}", code=1)
    return damaged


def saving(cargo: Cargo, clients: Clients) -> Client:
    """Start `docker save` of an image. Raises Exit as `Clients.start` does."""
    return clients.start(commands.save(cargo.reference), cargo.engine.environment, feeds=True, engine=cargo.engine)


def with_blobs(cargo: Cargo, clients: Clients) -> Cargo:
    """The same image with its layers as containerd's store keeps them, if this engine has that: they may be compressed.

    `docker save` is read once more for it, up to where it says so.

    Raises:
        Exit: with code 1 when it cannot be read.
    """
    if not cargo.engine.facts().containerd:
        return cargo
    reader = saving(cargo, clients)
    try:
        return replace(cargo, blobs=blobs_of(cast(IO[bytes], reader), cargo.image.layers))
    except Damaged as damaged:
        raise unreadable(cargo.reference, damaged, reader) from None
    finally:
        clients.end(reader)
