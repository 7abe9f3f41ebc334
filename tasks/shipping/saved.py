"""`docker save` of one image, read once and in pieces: what each file in it is, whichever engine wrote it.

Three forms: folders with a `layer.tar` (before Docker 25), `blobs/sha256/…` by the hash of the layer, and the same from
containerd's store, where a layer may be compressed and has the hash of that. All have a `manifest.json`, at the end.
"""

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Annotated

from invoke import Exit
from msgspec import Meta, Struct

from .old_names import layer_of, sha256

SMALL = 4 << 20  # bytes: what describes an image, and is kept in memory
ALL_SMALL, MOST = 16 * SMALL, 10_000  # bytes of all these, and files of any kind: an image has 127 layers at most
PIECE = 1 << 18  # bytes that are read at once
# What tarfile keeps in memory: long names, and more about the next file.
LONG = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
UNNAMED = re.compile(r"[0-9a-f]{64}(/layer)?\.tar|blobs/sha256/[0-9a-f]{64}")  # a layer that is not known by its name

Digest = Annotated[str, Meta(pattern=r"\Asha256:[0-9a-f]{64}\Z")]
Count = Annotated[int, Meta(ge=0)]


class Damaged(Exit):
    """An archive that is cut off, or not what it says; exit code 1."""

    def __init__(self, what: str) -> None:
        super().__init__(what, code=1)


class Strange(Damaged):
    """An archive with something in it that docker puts into none."""

    def __init__(self) -> None:
        super().__init__("The image's archive holds what docker puts into none.")


class Blob(Struct, frozen=True):
    """A layer as it lies in an archive: `digest` is the hash of that file, `layer` that of its content unpacked."""

    digest: Digest
    layer: Digest
    kind: str
    size: Count


class Entry(tarfile.TarInfo):
    """The head of a file in an archive. None of docker's has holes, or more to be kept in memory than this."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "Entry":
        """Raises Strange for one that tarfile had better not go on with."""
        found = super().frombuf(buf, encoding, errors)
        if found.type == tarfile.GNUTYPE_SPARSE or (found.type in LONG and found.size > SMALL):
            raise Strange
        return found


class Part(Struct, frozen=True):
    """A layer in the stream. `layer` is "" where that is known only at the end; `file` is to be read now or never."""

    path: str
    layer: str
    size: int
    file: IO[bytes]


@contextmanager
def readable() -> Iterator[None]:
    """Turn what tarfile says of an archive into Damaged."""
    try:
        yield
    except (tarfile.TarError, EOFError, RecursionError) as error:
        raise Damaged(f"The image's archive is cut off or damaged: {error}.") from None


def opened(stream: IO[bytes]) -> tarfile.TarFile:
    """An archive that is read from its beginning to its end."""
    return tarfile.open(fileobj=stream, mode="r|", bufsize=PIECE, tarinfo=Entry)


class Saved:
    """One image from a stream. After `parts`, `config` and `paths` (its layers' from the lowest up) are known.

    Args:
        layers: what its layers must be.
        blobs: its layers as the engine keeps them, where that is known, by digest.
    """

    def __init__(self, stream: IO[bytes], layers: Sequence[str], blobs: Mapping[str, Blob] | None = None) -> None:
        self.stream = stream
        self.layers = tuple(layers)
        self.blobs = blobs or {}
        self.small: dict[str, bytes] = {}
        self.room = ALL_SMALL
        self.sizes: dict[str, int] = {}  # of the layers' files, by layer
        self.config = b""
        self.paths: tuple[str, ...] = ()

    def parts(self) -> Iterator[Part]:
        """Each layer's file, as it comes.

        Raises:
            Damaged: when the stream ends early or holds anything else than this image.
        """
        with readable():
            with opened(self.stream) as tar:
                yield from self.walk(tar)
            self.conclude()

    def walk(self, tar: tarfile.TarFile) -> Iterator[Part]:
        """The same for an archive that is open."""
        for count, member in enumerate(iter(tar.next, None)):
            if count == MOST or self.room < 0:
                raise Strange
            if member.isfile() and (part := self.part(self.file(tar, member), member)):
                yield part
                if part.layer:
                    self.sizes[part.layer] = part.size
                self.pass_on(part)

    def file(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
        """A file in the stream, to be read. Raises Strange for what is none, or has holes."""
        found = None if member.issparse() else tar.extractfile(member)
        if found is None:
            raise Strange
        return found

    def pass_on(self, part: Part) -> None:
        """Called once a part was used, or was not."""

    def part(self, file: IO[bytes], member: tarfile.TarInfo) -> Part | None:
        """The layer that a file is; None for what describes the image, which is kept, and for what is not needed."""
        path, size = member.name, member.size
        if path.endswith("/layer.tar"):
            folder = path.split("/")[-2]
            layer = layer_of(folder, self.small.get(f"{folder}/json", b""), self.layers)
            return Part(path, layer, size, file) if layer else unnamed(path, size, file)
        digest = f"sha256:{path.rpartition('/')[2].removesuffix('.tar')}"
        if digest in self.layers or digest in self.blobs:
            return Part(path, self.blobs[digest].layer if digest in self.blobs else digest, size, file)
        if size > SMALL:
            return unnamed(path, size, file)
        content = file.read()
        if len(content) < size:
            raise EOFError("unexpected end of data")
        if path.startswith("blobs/") and not content.startswith(b"{"):
            return unnamed(path, size, io.BytesIO(content))
        self.small[path] = content
        self.room -= size
        return None

    def conclude(self) -> None:
        """Read what describes the image.

        Raises:
            Damaged: when that is missing, or is about anything else than this image.
        """
        try:
            (entry,) = json.loads(self.small["manifest.json"])
            self.paths = tuple(map(str, entry["Layers"]))
            self.config = self.small[entry["Config"]]
            layers = tuple(json.loads(self.config)["rootfs"]["diff_ids"])
        except (ValueError, LookupError, TypeError, RecursionError):
            raise Damaged("The image's archive does not say what is in it.") from None
        if layers != self.layers or len(self.paths) != len(layers):
            raise Damaged("The image's archive holds other layers than the image: it was built anew meanwhile.")

    @property
    def config_digest(self) -> str:
        return f"sha256:{sha256(self.config)}"


def unnamed(path: str, size: int, file: IO[bytes]) -> Part:
    """A layer of which the archive says only at its end which one it is.

    Raises:
        Strange: when it can be none by its path: it may be handed on under that.
    """
    if not UNNAMED.fullmatch(path):
        raise Strange
    return Part(path, "", size, file)


def blobs_of(stream: IO[bytes], layers: Sequence[str]) -> dict[str, Blob]:
    """The layers of an image as containerd's store keeps them, by digest; {} where its archive does not say.

    The stream is read only as far as that takes.
    """
    saved = Saved(stream, layers)
    for _ in saved.parts():
        if found := described(saved.small, saved.layers):
            return found
    return described(saved.small, saved.layers)


def described(small: Mapping[str, bytes], layers: tuple[str, ...]) -> dict[str, Blob]:
    """What a manifest among these files says of an image with these layers; {} while it is not among them."""
    for content in small.values():
        manifest = read(content)
        digest = str(field(manifest, "config", "digest"))
        config = read(small.get(f"blobs/sha256/{digest.partition(':')[2]}", b""))
        parts = manifest.get("layers")
        if field(config, "rootfs", "diff_ids") == [*layers] and isinstance(parts, list) and len(parts) == len(layers):
            pairs = zip(parts, layers, strict=True)
            found = [Blob(part["digest"], layer, part["mediaType"], part["size"]) for part, layer in pairs]
            return {blob.digest: blob for blob in found if re.fullmatch("sha256:[0-9a-f]{64}", blob.digest)}
    return {}


def read(content: bytes) -> dict[str, object]:
    """An object in JSON; {} for anything else."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def field(said: Mapping[str, object], *keys: str) -> object:
    """A value inside of objects; None where it is not there."""
    found: object = said
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found
