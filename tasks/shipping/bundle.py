"""A bundle: one image in a file for engines that no network leads to, without the layers that they must have already.

It is an archive as `docker save` writes it, with `bundle.json` in front, which says what is in it and what must be
there already, and behind it a check sum of all. A classic store can load it without this project too.
"""

import glob
import hashlib
import io
import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import msgspec
from invoke import Context, Exit
from msgspec import Struct

from ..engine import commands
from ..host.files import locked_if_free
from ..host.saying import say
from ..host.text import printable, size
from .host import Cargo, common
from .meter import Counted, Meter
from .processes import Clients
from .saved import Blob, Count, Damaged, Digest, Saved
from .transfer import saving, unreadable, with_blobs
from .written import DockerArchive, rewrite

FORMAT = 1
FIRST, LAST = "bundle.json", "bundle.end.json"
ENDING = ".part"  # of a file's name until all of it is written


class Manifest(Struct, frozen=True):
    """What a bundle says at its beginning. The lowest `needs` of its `layers` are not in it.

    `since` is the version that has these, "" where nothing is left out; `blobs` are the layers as containerd's store
    keeps them; `size` is that of the whole image in bytes.
    """

    format: int
    reference: str
    layers: tuple[Digest, ...]
    labels: dict[str, str]
    needs: Count = 0
    since: str = ""
    blobs: tuple[Blob, ...] = ()
    size: Count = 0


class End(Struct, frozen=True):
    """What it says at its end: the bytes of each layer's file, and the check sum of all before this."""

    sizes: dict[str, int]
    sha256: str


class Summed:
    """A file whose content is counted in a check sum as it is read."""

    def __init__(self, file: IO[bytes], total: Any) -> None:
        self.file, self.total = file, total

    def read(self, count: int = -1) -> bytes:
        found = self.file.read(count)
        self.total.update(found)
        return found


class Bundle(DockerArchive):
    """A bundle that is written."""

    def __init__(self, out: IO[bytes], manifest: Manifest) -> None:
        super().__init__(out, manifest.reference)
        self.total = hashlib.sha256()
        self.add(FIRST, msgspec.json.encode(manifest))

    def copy(self, path: str, size: int, file: IO[bytes]) -> None:
        self.total.update(counted(path, size))
        super().copy(path, size, Summed(file, self.total))  # type: ignore[arg-type]

    def describe(self, saved: Saved) -> None:
        super().describe(saved)
        self.total.update(counted_sizes(saved.sizes))
        end = msgspec.json.encode(End(saved.sizes, self.total.hexdigest()))
        super().copy(LAST, len(end), io.BytesIO(end))


def counted(path: str, size: int) -> bytes:
    """What a file's name and size add to the check sum."""
    return json.dumps([path, size]).encode()


def counted_sizes(sizes: Mapping[str, int]) -> bytes:
    return json.dumps(sorted(sizes.items())).encode()


def write(c: Context, cargo: Cargo, since: Cargo | None, file: str) -> None:
    """Write a bundle.

    Args:
        since: an image whose layers the target has; None for everything.
        file: "-" for standard output.

    Raises:
        Exit: with code 1 when it cannot be written; then there is no such file, or the former one.
    """
    clients = Clients()
    save = commands.save(cargo.reference)
    out_of_the_way = sys.stderr if file == "-" else sys.stdout
    into = "" if file == "-" else f" > {shlex.quote(file)}"
    say(f"{shlex.join(save)}{into}", out_of_the_way)
    if c.config.run.dry:
        return
    cargo = with_blobs(cargo, clients)
    needs = shared(since, cargo)
    image = cargo.image
    named = since.reference if since else ""
    blobs = tuple(cargo.blobs.values())
    manifest = Manifest(FORMAT, cargo.reference, image.layers, image.labels, needs, named, blobs, image.size)
    reader = saving(cargo, clients)
    try:
        saved, meter = Saved(cast(IO[bytes], reader), image.layers, cargo.blobs), Meter()
        with opened(file) as out:
            target = cast(IO[bytes], Counted(out, meter))
            left = rewrite(saved, Bundle(target, manifest), image.layers[needs:])
    except Damaged as damaged:
        raise unreadable(cargo.reference, damaged, reader) from None
    except KeyboardInterrupt:
        clients.stop()
        raise
    finally:
        clients.end(reader)
    needed = (
        f", {size(left)} left out: the target must have {named}, or the lowest {needs} of its layers" if needs else ""
    )
    say(f"{size(meter.sent)} written{needed}.", out_of_the_way)


def shared(since: Cargo | None, cargo: Cargo) -> int:
    """How many of an image's layers another one has, from the lowest.

    Raises:
        Exit: with code 2 when it has none.
    """
    if since is None:
        return 0
    found = common(since.image.layers, cargo.image.layers)
    if not found:
        what = f"{since.reference} has no layer in common with {cargo.reference}"
        raise Exit(f"{what}, so nothing can be left out. Type --full.", code=2)
    return found


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """A file to be written, which has its name only once all is in it; a device or a pipe as it is; or standard output.

    Raises:
        Exit: with code 1 when it cannot be written, 2 when standard output is a terminal.
    """
    if file == "-":
        if sys.stdout.isatty():
            raise Exit("A bundle is nothing for a terminal: name a file, or put a pipe behind it.", code=2)
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if not file:
        raise Exit("Name a file to write, or - for standard output.", code=2)
    try:
        target = Path(file)
        if target.exists() and not target.is_file():  # a folder is refused, before anything is written
            with target.open("wb") as out:
                yield out
        else:
            with whole(target.resolve()) as out:  # a symbolic link stays one
                yield out
    except OSError as error:
        raise Exit(f"{printable(file)} cannot be written: {error.strerror}.", code=1) from None


@contextmanager
def whole(target: Path) -> Iterator[IO[bytes]]:
    """A file beside another one, which takes its place when all was written.

    It is locked, so that what a run left that was killed is known from what another one is writing.

    Raises:
        OSError: when it cannot be written; the former file stays as it is.
    """
    for left in target.parent.glob(f".{glob.escape(target.name)}.*{ENDING}"):
        with locked_if_free(left) as free:
            if free:
                left.unlink(missing_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}{ENDING}")
    try:
        with locked_if_free(part), part.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
            part.replace(target)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
