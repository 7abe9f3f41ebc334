"""Loading a bundle: what it needs is compared with what is there, and nothing is loaded of one that is not whole."""

import hashlib
import shlex
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import msgspec
from invoke import Context, Exit
from msgspec.structs import replace

from ..engine import commands, options
from ..engine.engine import Engine
from ..engine.names import valid_reference
from ..engine.options import Options
from ..engine.records import Image
from ..host.saying import say
from ..host.text import brief, printable, size
from .arrival import Arrival, feed
from .bundle import FIRST, FORMAT, LAST, End, Manifest, Summed, counted, counted_sizes
from .digests import lying
from .host import Cargo, Host, Need, held
from .meter import Meter
from .old_names import sha256
from .processes import Clients
from .saved import PIECE, SMALL, Damaged, Part, Saved, readable
from .saved import opened as archive_in
from .written import Archive, DockerArchive, OciArchive, rewrite

NONE = "This is no bundle of inv's."


class Opened(Saved):
    """A bundle that is read. Its check sum is compared before its image is concluded.

    Raises:
        Damaged: when it does not begin as a bundle does.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.total = hashlib.sha256()
        with readable():
            try:
                self.tar = archive_in(stream)
            except tarfile.TarError as error:
                raise Damaged("There is nothing in it." if str(error) == "empty file" else NONE) from None
            first = self.tar.next()
            if not first or first.name != FIRST or first.size > SMALL or not first.isreg():
                raise Damaged(NONE)
            said = self.file(self.tar, first).read()
        try:
            self.manifest = msgspec.json.decode(said, type=Manifest)
        except (msgspec.MsgspecError, RecursionError):
            raise Damaged("This bundle is cut off or damaged at its beginning.") from None
        if self.manifest.format != FORMAT:
            raise Damaged(f"This bundle is of a kind {self.manifest.format} that only a newer inv can read.")
        if not valid_reference(self.manifest.reference):
            raise Damaged("This bundle holds an image whose name docker does not take.")
        if self.manifest.needs > len(self.manifest.layers):
            raise Damaged("This bundle needs more layers than its image has.")
        self.options: Options = {}
        super().__init__(stream, self.manifest.layers)

    def parts(self) -> Iterator[Part]:
        with readable():
            yield from self.walk(self.tar)
            while rest := self.tar.fileobj.read(PIECE):
                if rest.strip(b"\0"):
                    raise Damaged("Something follows behind this bundle.")
            self.conclude()

    def file(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
        found = super().file(tar, member)
        if member.name == LAST:
            return found
        self.total.update(counted(member.name, member.size))
        return Summed(found, self.total)  # type: ignore[return-value]

    def pass_on(self, part: Part) -> None:
        while part.file.read(PIECE):  # what is there already counts in the check sum too
            pass

    def conclude(self) -> None:
        try:
            end = msgspec.json.decode(self.small.get(LAST, b""), type=End)
        except (msgspec.MsgspecError, RecursionError):
            raise Damaged("This bundle is cut off.") from None
        self.total.update(counted_sizes(end.sizes))
        if end.sha256 != self.total.hexdigest():
            raise Damaged("This bundle was altered: its check sum is not that of its content.")
        self.sizes = end.sizes
        super().conclude()
        try:
            said = msgspec.json.decode(self.config, type=dict[str, Any])
            self.options = options.of_config(said.get("config") or {})
        except (msgspec.MsgspecError, RecursionError, AttributeError, LookupError, TypeError, ValueError):
            raise Damaged("The configuration of its image is none.") from None


def load(c: Context, engine: Engine, file: str) -> str:
    """Load a bundle. Returns the reference of its image.

    Args:
        file: "-" for standard input.

    Raises:
        Exit: with code 1 when the engine lacks what it needs, or it is cut off or altered; nothing is loaded then.
    """
    clients, host = Clients(), Host("", engine)
    with opened(file) as stream:
        try:
            bundle = Opened(stream)
            manifest = bundle.manifest
            cargo = Cargo(engine, manifest.reference, expected(manifest), {}, ())
            need = needed(engine, cargo, manifest)
            if need.there:
                for _ in bundle.parts():  # whether it is whole is told all the same, and who writes it is not cut off
                    pass
                return manifest.reference
            say(shlex.join(commands.load()) + ("" if file == "-" else f" < {shlex.quote(file)}"))
            perform(Arrival.of(c, cargo, (host, need), clients), bundle, need)
        except Damaged as damaged:
            raise Exit(f"{printable(file)}: {damaged.message} Nothing was loaded.", code=1) from None
        except KeyboardInterrupt:
            clients.stop()
            raise
    return manifest.reference


def perform(arrival: Arrival, bundle: Opened, need: Need) -> None:
    """Load it under a passing name, look at it, and give it its own."""
    manifest, containerd = bundle.manifest, need.containerd
    blobs = {blob.layer: blob for blob in manifest.blobs}
    if containerd and manifest.needs:
        blobs |= lying(arrival, Meter(), need.like, manifest.needs)

    def archive(out: IO[bytes]) -> Archive:
        return OciArchive(out, arrival.passing, blobs) if containerd else DockerArchive(out, arrival.passing)

    try:
        if not arrival.dry:
            feed(arrival, Meter(), lambda out: rewrite(bundle, archive(out), manifest.layers[manifest.needs :]))
            if containerd and manifest.needs and not arrival.listed():
                what = "This engine has the layers that the bundle needs under other digests"
                raise Exit(f"{what}, and cannot use them. Make a bundle with --full.", code=1)
            arrival = replace(arrival, cargo=described(arrival.cargo, bundle))
        arrival.conclude()
    finally:
        arrival.discard()


def expected(manifest: Manifest) -> Image:
    """The image in a bundle, as far as its beginning says."""
    return Image("", manifest.reference, manifest.labels, size=manifest.size, layers=manifest.layers)


def described(cargo: Cargo, bundle: Opened) -> Cargo:
    """The image in a bundle, now that its configuration was read."""
    image = replace(cargo.image, id=f"sha256:{sha256(bundle.config)}")
    return replace(cargo, image=image, options=bundle.options)


def needed(engine: Engine, cargo: Cargo, manifest: Manifest) -> Need:
    """What the engine lacks of the image, which can be loaded then; says so.

    Raises:
        Exit: with code 1 when the engine lacks a layer that is not in the bundle.
    """
    reference, count = printable(manifest.reference), len(manifest.layers)
    containerd, present = engine.facts().containerd, engine.image(manifest.reference)
    if present and present.layers == manifest.layers and present.labels == manifest.labels:
        say(f"{reference} is here already.")
        return Need(True, count, containerd)
    here, like = held(engine, cargo)
    if here < manifest.needs:
        wanted = f"the lowest {manifest.needs} of the {count} layers of {reference}"
        what = f"This bundle needs {wanted}, and this engine has {here} of these"
        raise Exit(f"{what}. Load {brief(manifest.since)} first, or make a bundle with --full.", code=1)
    moved = " Another image is called so here, and loses that name." if present else ""
    whole = size(manifest.size)
    say(f"{reference}: {count - manifest.needs} of {count} layers are in the bundle; {whole} in all.{moved}")
    return Need(False, here, containerd, moved=present.id if present else "", like=like)


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """A file to be read, or standard input.

    Raises:
        Exit: with code 2 when it cannot be read, or standard input is a terminal.
    """
    if file == "-":
        if sys.stdin.isatty():
            raise Exit("A bundle cannot be typed: name a file, or put a pipe before it.", code=2)
        yield sys.stdin.buffer
        return
    try:
        stream = open(file, "rb")  # noqa: SIM115
    except OSError as error:
        raise Exit(f"{printable(file)} cannot be read: {error.strerror}.", code=2) from None
    with stream:
        yield stream
