"""Versions of a frame: which images are some, under which tag, and how they and their containers are named."""

import re
import time
from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from ..engine import label
from ..engine.engine import Engine, in_order
from ..engine.engine import versions as versions_among
from ..engine.names import same_repository, valid_tag
from ..engine.records import ContainerRow, Image, ImageRow
from ..host.text import ago, printable
from ..settings.model import Frame

STAMP = (label.VERSION, label.REVISION, label.CREATED, label.SHORT_COMMIT, label.BUILD_DATE, label.COMMAND)
AHEAD = 3600.0  # seconds that the clocks of two machines may be apart, and nothing is wrong


def is_version(engine: Engine, frame: Frame, image: str) -> bool:
    """Whether an image with the frame's name label is one of its versions; `image` is an id.

    One that was removed by force, so that only its containers are left, is believed.
    """
    found = engine.image(image)
    if found is None or found.tags:
        return found is None or any(belongs(tag, frame) for tag in found.tags)
    # A child inherits what its parent says of itself, so few can be its parent, however many versions there are.
    stamp = {key: found.labels.get(key) for key in STAMP}
    rows = engine.stamped(frame.image)
    parents = [row.id for row in rows if {key: row.labels.get(key) for key in STAMP} == stamp]
    return not is_child(engine, found, parents)


def belongs(reference: str, frame: Frame) -> bool:
    """Whether a reference is a tag, or a digest, in the frame's own repository."""
    return same_repository(reference, frame.image)


def here(images: Iterable[ImageRow], frame: Frame, remote: str) -> list[ImageRow]:
    """Every version of a frame among images, newest first, once each: under a tag, or else under a digest.

    A rollout fetches versions by a digest, and such a one has no tag.

    Args:
        remote: the frame's repository in the registry; "" for none.
    """
    images = [*images]
    found = {row.id: row for row in each_once(versions_among(images, frame.image))}
    for image in images:
        if image.id not in found and label.names(image.labels, frame.image):
            for name in digests(image, frame.image, remote)[:1]:
                found[image.id] = replace(image, reference=name)
    numbers = {key: in_order(own_tag(row)) for key, row in found.items()}
    return sorted(found.values(), key=lambda row: (row.created, numbers[row.id]), reverse=True)


def digests(image: ImageRow, *repositories: str) -> list[str]:
    """The digests that an image is called by in one of these repositories; "" is none."""
    return [name for name in image.digests if any(one and same_repository(name, one) for one in repositories)]


def own_tag(image: ImageRow) -> str:
    """The tag that an image was found under; of one without, the tag that it was built under."""
    return label.version_of(image.labels, image.id) if image.by_digest else image.tag


def shown(image: ImageRow) -> str:
    """A version in a few words: its tag; where only a digest names it, with the beginning of that."""
    return by_digest(own_tag(image), image.reference) if image.by_digest else image.tag


def by_digest(tag: str, name: str) -> str:
    """A version that a digest names, in a few words. `name`: with that digest."""
    return f"{tag} (@{name.partition('@')[2][: len('sha256:') + 12]})"


def is_child(engine: Engine, image: Image, others: Iterable[str]) -> bool:
    """Whether an image holds all layers of another one, by its id, and more on top."""
    for other in others:
        below = engine.image(other) if other != image.id else None
        height = len(below.layers) if below else 0
        if below and len(image.layers) > height > 0 and image.layers[:height] == below.layers:
            return True
    return False


def tag_of(frame: Frame, image: ImageRow) -> str:
    """The tag under which an image is a version of this frame; what `version_of` says if it has none (any more)."""
    mine = belongs(image.reference, frame) and not image.by_digest
    return image.tag if mine else label.version_of(image.labels, image.id)


def by_own_name(engine: Engine, frame: Frame, image: ImageRow) -> ImageRow:
    """An image under the tag that it was built under, if that still means this very image: it may have others too."""
    tag = label.version_of(image.labels, image.id)
    own = f"{frame.image}:{tag}"
    if image.reference == own or not valid_tag(tag):
        return image
    named = engine.image(own)
    return named if named and named.id == image.id else image


def each_once(images: Sequence[ImageRow]) -> list[ImageRow]:
    """One row for each image, under the tag that it was built under if it has that, and rather not under `latest`."""
    found: dict[str, ImageRow] = {}
    for image in images:
        known = found.setdefault(image.id, image)
        own = label.version_of(image.labels, image.id)
        if known.tag != own and (image.tag == own or known.tag == "latest"):
            found[image.id] = image
    return [image for image in images if found[image.id] is image]


def dated_ahead(image: ImageRow) -> bool:
    """Whether an image says that it was built at a time that is yet to come: a clock was wrong there, or is so here."""
    return image.created > time.time() + AHEAD


def kept_name(service: str, container: ContainerRow, taken: Collection[str]) -> str:
    """A free name for a container of an earlier version: `<service>.<tag>`, or with a number behind it.

    Names that a switch needs for itself are never free: a tag may be `next`.
    """
    name = plain_kept_name(service, container)
    names = (name, *(f"{name}.{number}" for number in range(2, len(taken) + 3)))
    return next(free for free in names if free not in taken and free not in temporary(service))


def plain_kept_name(service: str, container: ContainerRow) -> str:
    """`<service>.<tag>`, for a container of this tag."""
    return f"{service}.{re.sub('[^a-zA-Z0-9_.-]', '-', label.version_of(container.labels, container.image))}"


def temporary(service: str) -> tuple[str, str, str]:
    """The names of the candidate, the rehearsal and the recovery lock of a service: only a switch has them."""
    return f"{service}.next", f"{service}.rehearsal", f"{service}.recovery"


def lines(images: Iterable[ImageRow], ids_running: set[str]) -> dict[str, str]:
    """One line a version for people: tag, commit, branch, age, size, and which one runs. By its tag."""
    now = time.time()
    rows = [
        (
            image.tag,
            label.commit_of(image.labels)[:7] or "?",
            label.branch_of(image.labels) or "?",
            ago(now - image.created, "old") if image.created else "?",
            f"{image.size / 1e6:.0f} MB",
            "running" if image.id in ids_running else "",
        )
        for image in images
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(6)] if rows else []
    return {
        row[0]: printable("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        for row in rows
    }
