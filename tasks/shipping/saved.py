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
from typing import IO

from invoke import Exit
from msgspec import Struct

from .old_names import layer_of, sha256

SMALL = 4 << 20  # bytes: what describes an image, and is kept in memory
PIECE = 1 << 20  # bytes that are read at once


class Damaged(Exit):
    """An archive that is cut off, or not what it says; exit code 1."""

    def __init__(self, what: str) -> None:
        super().__init__(what, code=1)


class Blob(Struct, frozen=True):
    """A layer as it lies in an archive: `digest` is the hash of that file, `layer` that of its content unpacked."""

    digest: str
    layer: str
    kind: str
    size: int


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
    except (tarfile.TarError, EOFError) as error:
        raise Damaged(f"The image's archive is cut off or damaged: {error}.") from None


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
        self.sizes: dict[str, int] = {}  # of the layers' files, by layer
        self.config = b""
        self.paths: tuple[str, ...] = ()

    def parts(self) -> Iterator[Part]:
        """Each layer's file, as it comes.

        Raises:
            Damaged: when the stream ends early or holds anything else than this image.
        """
        with readable():
            with tarfile.open(fileobj=self.stream, mode="r|", bufsize=PIECE) as tar:
                yield from self.walk(tar)
            self.conclude()

    def walk(self, tar: tarfile.TarFile) -> Iterator[Part]:
        """The same for an archive that is open."""
        while member := tar.next():
            if member.isfile() and (part := self.part(self.file(tar, member), member)):
                yield part
                if part.layer:
                    self.sizes[part.layer] = part.size
                self.pass_on(part)

    def file(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
        """A file in the stream, to be read."""
        found = tar.extractfile(member)
        assert found
        return found

    def pass_on(self, part: Part) -> None:
        """Called once a part was used, or was not."""

    def part(self, file: IO[bytes], member: tarfile.TarInfo) -> Part | None:
        """The layer that a file is; None for what describes the image, which is kept, and for what is not needed."""
        path, size = member.name, member.size
        if path.endswith("/layer.tar"):
            folder = path.split("/")[-2]
            return Part(path, layer_of(folder, self.small.get(f"{folder}/json", b""), self.layers), size, file)
        digest = f"sha256:{path.rpartition('/')[2].removesuffix('.tar')}"
        if digest in self.layers or digest in self.blobs:
            return Part(path, self.blobs[digest].layer if digest in self.blobs else digest, size, file)
        if size > SMALL:
            return Part(path, "", size, file)
        content = file.read()
        if len(content) < size:
            raise EOFError("unexpected end of data")
        if path.startswith("blobs/") and not content.startswith(b"{"):
            return Part(path, "", size, io.BytesIO(content))
        self.small[path] = content
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
        except (ValueError, LookupError, TypeError):
            raise Damaged("The image's archive does not say what is in it.") from None
        if layers != self.layers or len(self.paths) != len(layers):
            raise Damaged("The image's archive holds other layers than the image: it was built anew meanwhile.")

    @property
    def config_digest(self) -> str:
        return f"sha256:{sha256(self.config)}"


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
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def field(said: Mapping[str, object], *keys: str) -> object:
    """A value inside of objects; None where it is not there."""
    found: object = said
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found
