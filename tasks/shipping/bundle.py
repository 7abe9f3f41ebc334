"""A bundle: one image in a file for engines that no network leads to, without the layers that they must have already.

It is an archive as `docker save` writes it, with `bundle.json` in front, which says what is in it and what must be
there already, and behind it a check sum of all. A classic store can load it without this project too.
"""

import hashlib
import io
import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import msgspec
from invoke import Context, Exit
from msgspec import Struct

from ..engine import commands
from ..host.saying import say
from ..host.text import printable, size
from .host import Cargo, common
from .processes import Clients
from .saved import Blob, Damaged, Saved
from .transfer import with_blobs
from .written import DockerArchive, rewrite

FORMAT = 1
FIRST, LAST = "bundle.json", "bundle.end.json"


class Manifest(Struct, frozen=True):
    """What a bundle says at its beginning. The lowest `needs` of its `layers` are not in it.

    `since` is the version that has these, "" where nothing is left out; `blobs` are the layers as containerd's store
    keeps them; `size` is that of the whole image in bytes.
    """

    format: int
    reference: str
    layers: tuple[str, ...]
    labels: dict[str, str]
    needs: int = 0
    since: str = ""
    blobs: tuple[Blob, ...] = ()
    size: int = 0


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
    target = "" if file == "-" else f" > {shlex.quote(file)}"
    say(f"{shlex.join(save)}{target}", out_of_the_way)
    if c.config.run.dry:
        return
    cargo = with_blobs(cargo, clients)
    needs = shared(since, cargo)
    image = cargo.image
    named = since.reference if since else ""
    blobs = tuple(cargo.blobs.values())
    manifest = Manifest(FORMAT, cargo.reference, image.layers, image.labels, needs, named, blobs, image.size)
    reader = clients.start(save, cargo.engine.environment, feeds=True)
    try:
        saved = Saved(reader.pipe, image.layers, cargo.blobs)
        with opened(file) as out:
            left = rewrite(saved, Bundle(out, manifest), image.layers[needs:])
            written = out.tell() if file != "-" else 0
    except Damaged as damaged:
        raise Exit(f"{damaged} {printable(reader.words())}".strip(), code=1) from None
    except KeyboardInterrupt:
        clients.stop()
        raise
    finally:
        clients.end(reader)
    what = f"{size(written)} written" if written else "Written"
    needed = (
        f", {size(left)} left out: the target must have {named}, or the lowest {needs} of its layers" if needs else ""
    )
    say(f"{what}{needed}.", out_of_the_way)


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
    """A file to be written, which has its name only once all is in it; or standard output.

    Raises:
        Exit: with code 1 when it cannot be written, 2 when standard output is a terminal.
    """
    if file == "-":
        if sys.stdout.isatty():
            raise Exit("A bundle is nothing for a terminal: name a file, or put a pipe behind it.", code=2)
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(file)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with part.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    except OSError as error:
        raise Exit(f"{printable(file)} cannot be written: {error.strerror}.", code=1) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
