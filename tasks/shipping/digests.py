"""Under which digests the layers of an image lie in a containerd store: those that were pulled are compressed.

No question of the engine's API says it. But what describes an image lies there too, the image's id is its digest, and
`docker load` takes an image whose parts lie there already, of whatever kind they are. So what is asked for is made a
part of an image that holds nothing else, and `docker save` hands it out. That takes some kilobytes; and what comes is
believed only if it has the digest that was asked for.
Source: moby (daemon/containerd/image_exporter.go, and IsPseudoImage), containerd (images/archive/exporter.go).
"""

import hashlib
import io
import shlex
import socket
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO

from msgspec.structs import replace

from ..engine import commands
from ..engine.names import for_the_time_being, repository_of
from ..engine.records import Image
from ..host.saying import say
from .arrival import Arrival, Refused, feed
from .meter import Meter
from .saved import Blob, Saved, described, read
from .written import OciArchive, dumped, hexadecimal

ROOM = 1 << 20  # bytes: no less than what describes an image takes
STEPS = 3  # an index of several platforms, the manifest, the configuration
NAME = "digests"  # the tag of what is loaded, up to what tells one machine from others
PART = "application/octet-stream"  # no layer, so that nobody unpacks it
CONFIG = dumped({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}})


def lying(arrival: Arrival, meter: Meter, image: Image | None, held: int) -> dict[str, Blob]:
    """The lowest layers of an image that a containerd store has, as they lie there, by layer; {} where it does not say.

    Args:
        image: its id there is the digest of its manifest, or of an index of manifests.
        held: how many of its layers.
    """
    if image is None or arrival.dry:
        return {}
    repository, identity = repository_of(arrival.cargo.reference), (arrival.host.engine.get("info") or {}).get("ID")
    with alone(f"{identity} {repository}") as key:
        passing = for_the_time_being(f"{repository}:{NAME}", key)
        return asked(replace(arrival, passing=passing), meter, image, held)


@contextmanager
def alone(what: str) -> Iterator[str]:
    """A key for the time of the block that nobody else has for the same.

    No list of docker's shows the image that has it in its name. One that a killed run has left must be replaced, so the
    key is the same again and again, but for who asks at the same time: on another machine, or on this one.
    """
    with socket.socket(socket.AF_UNIX) as lock:
        for number in range(1000):
            key = hashlib.sha256(f"{socket.gethostname()} {number or ''}".strip().encode()).hexdigest()[:8]
            try:
                lock.bind(f"\0inv {key} {hashlib.sha256(what.encode()).hexdigest()[:32]}")  # gone with its process
            except OSError:
                continue
            break
        yield key


def asked(arrival: Arrival, meter: Meter, image: Image, held: int) -> dict[str, Blob]:
    """See `lying`."""
    small: dict[str, bytes] = {}
    wanted = {image.id: ROOM}
    try:
        for _ in range(STEPS):
            small |= handed_out(arrival, meter, wanted)
            if found := described(small, image.layers):
                return {blob.layer: blob for blob in found.values() if blob.layer in image.layers[:held]}
            parts = {digest: size for content in small.values() for digest, size in named(content)}
            wanted = {digest: size for digest, size in parts.items() if path(digest) not in small}
            if not wanted:
                break
    except Refused:
        pass
    finally:
        arrival.discard()
    return {}


def handed_out(arrival: Arrival, meter: Meter, wanted: Mapping[str, int]) -> dict[str, bytes]:
    """Some of what a containerd store holds, by the path in an archive.

    Args:
        wanted: sizes by digest; `ROOM` for one that is not known, if it is the only one.

    Raises:
        Refused: when it does not take the image that is made for this.
    """
    load, save = arrival.host.command(commands.load()), arrival.host.command(commands.save(arrival.passing))
    say(shlex.join(load))
    feed(arrival, meter, lambda out: write(out, arrival.passing, wanted))
    say(shlex.join(save))
    reader = arrival.clients.start(save, arrival.host.environment, feeds=True, engine=arrival.host.engine)
    try:
        said = reader.read(2 * ROOM)
    finally:
        arrival.clients.end(reader)
    return dict(contents(said, wanted))


def write(out: IO[bytes], reference: str, wanted: Mapping[str, int]) -> int:
    """Write an image that consists of what is wanted, less that itself."""
    image = Saved(io.BytesIO(), [*wanted])
    image.config, image.sizes = CONFIG, dict(wanted)
    parts = {digest: Blob(digest, digest, PART, size) for digest, size in wanted.items()}
    OciArchive(out, reference, parts).finish(image)
    return 0


def contents(archive: bytes, wanted: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
    """What an archive holds of what is wanted, by path.

    Where a size was made up, the archive ends behind that content, with an error of the engine's.
    """
    members = []
    with suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            members.append(member)
    paths = {path(digest): digest for digest in wanted}
    for member in members:
        if digest := paths.get(member.name):
            content = beginning(archive[member.offset_data : member.offset_data + member.size], digest)
            if content:
                yield member.name, content


def beginning(content: bytes, digest: str) -> bytes:
    """The beginning of a text in JSON that has a digest; empty where none has."""
    total, done = hashlib.sha256(), 0
    while end := content.find(b"}", done) + 1:
        for stop in range(end, min(end + 3, len(content) + 1)):  # a line end or two may follow
            total.update(content[done:stop])
            done = stop
            if total.hexdigest() == hexadecimal(digest):
                return content[:stop]
    return b""


def named(content: bytes) -> Iterator[tuple[str, int]]:
    """What an index or a manifest names of what describes an image: digests, and sizes in bytes."""
    said = read(content)
    manifests = said.get("manifests")
    for part in [*(manifests if isinstance(manifests, list) else []), said.get("config")]:
        if isinstance(part, dict) and isinstance(size := part.get("size"), int) and 0 < size <= ROOM:
            yield str(part.get("digest")), size


def path(digest: str) -> str:
    return f"blobs/sha256/{hexadecimal(digest)}"
