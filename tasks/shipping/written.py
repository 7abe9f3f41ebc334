"""The archive that goes to another engine: an image without the layers that are there, as that engine's store takes it.

Docker's classic store looks for a layer's file only if it lacks the layer. containerd's refuses such an archive, but
takes an OCI layout without the blobs that it has; its manifest then has to name them as they lie there.
Source: moby (image/tarexport/load.go), containerd (images/archive/importer.go, WithSkipMissing).
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Collection, Mapping
from typing import IO, Any

from ..engine.names import full_reference
from .saved import PIECE, Blob, Damaged, Part, Saved, Strange, readable

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class Unnamed(Damaged):
    """A layer of which the archive says only at its end which one it is."""

    def __init__(self) -> None:
        super().__init__("this engine's archive does not say which is which")


class Archive:
    """What the two kinds have in common: writing files into a stream, the layers as they come and the rest at the end.

    What describes the image comes last, so that an archive which is cut off brings nothing.

    Args:
        reference: the name that the image gets there.
    """

    def __init__(self, out: IO[bytes], reference: str) -> None:
        # Closed only if all went well: what closing adds would make a whole archive of one that is cut off.
        self.tar = tarfile.open(fileobj=out, mode="w|", bufsize=PIECE)  # noqa: SIM115
        self.tar.copybufsize = PIECE  # type: ignore[attr-defined]
        self.reference = reference

    def add(self, path: str, content: bytes) -> None:
        self.copy(path, len(content), io.BytesIO(content))

    def copy(self, path: str, size: int, file: IO[bytes]) -> None:
        """Raises Damaged when the file is shorter than it should be."""
        entry = tarfile.TarInfo(path)
        entry.size = size
        try:
            self.tar.addfile(entry, file)
        except OSError as error:
            if str(error) != "unexpected end of data":
                raise
            raise Damaged("The image's archive is cut off.") from None

    def layer(self, part: Part) -> None:
        raise NotImplementedError

    def describe(self, saved: Saved) -> None:
        """Write what describes the image."""
        raise NotImplementedError

    def finish(self, saved: Saved) -> None:
        self.describe(saved)
        self.tar.close()


class DockerArchive(Archive):
    """As `docker save` writes it, and every engine takes it; only the classic store without some of its layers."""

    def __init__(self, out: IO[bytes], reference: str) -> None:
        super().__init__(out, reference)
        self.names: dict[str, str] = {}

    def layer(self, part: Part) -> None:
        name = f"{hexadecimal(part.layer)}.tar" if part.layer else part.path
        self.copy(name, part.size, part.file)
        self.names[part.path] = name

    def describe(self, saved: Saved) -> None:
        config = f"{hexadecimal(saved.config_digest)}.json"
        self.add(config, saved.config)
        pairs = zip(saved.paths, saved.layers, strict=True)
        # A layer that came under no known name keeps the one that it has in the stream.
        layers = [self.names.get(path, f"{hexadecimal(layer)}.tar") for path, layer in pairs]
        self.add("manifest.json", dumped([{"Config": config, "RepoTags": [self.reference], "Layers": layers}]))


class OciArchive(Archive):
    """As containerd's store takes it without some of its layers. `blobs`: the layers as they lie there, by layer."""

    def __init__(self, out: IO[bytes], reference: str, blobs: Mapping[str, Blob]) -> None:
        super().__init__(out, reference)
        self.blobs = blobs
        self.add("oci-layout", dumped({"imageLayoutVersion": "1.0.0"}))

    def layer(self, part: Part) -> None:
        if not part.layer:
            raise Unnamed
        blob = self.blobs.get(part.layer)
        self.copy(f"blobs/sha256/{hexadecimal(blob.digest if blob else part.layer)}", part.size, part.file)

    def describe(self, saved: Saved) -> None:
        if not saved.sizes.keys() >= {*saved.layers}:
            raise Strange
        self.add(f"blobs/sha256/{hexadecimal(saved.config_digest)}", saved.config)
        manifest = dumped(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "digest": saved.config_digest, "size": len(saved.config)},
                "layers": [self.described(layer, saved.sizes[layer]) for layer in saved.layers],
            }
        )
        digest = hashlib.sha256(manifest).hexdigest()
        self.add(f"blobs/sha256/{digest}", manifest)
        entry = {"mediaType": MANIFEST, "digest": f"sha256:{digest}", "size": len(manifest)}
        named = entry | {"annotations": {"io.containerd.image.name": full(self.reference)}}
        self.add("index.json", dumped({"schemaVersion": 2, "mediaType": INDEX, "manifests": [named]}))

    def described(self, layer: str, size: int) -> dict[str, object]:
        blob = self.blobs.get(layer) or Blob(layer, layer, LAYER, size)
        return {"mediaType": blob.kind, "digest": blob.digest, "size": blob.size}


def rewrite(saved: Saved, archive: Archive, missing: Collection[str]) -> int:
    """Copy an image from a stream into an archive, without the layers that are not missing there.

    Returns:
        The bytes that were left out.

    Raises:
        Damaged: when the stream is cut off, or holds anything else than the image.
    """
    done: set[str] = set()
    left = 0
    with readable():
        for part in saved.parts():
            if not part.layer or (part.layer in missing and part.layer not in done):
                archive.layer(part)
                done.add(part.layer)
            else:
                left += part.size
        archive.finish(saved)
    return left


def hexadecimal(digest: str) -> str:
    return digest.partition(":")[2]


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def full(reference: str) -> str:
    """A reference as containerd has it, with its registry."""
    return ":".join(full_reference(reference))
