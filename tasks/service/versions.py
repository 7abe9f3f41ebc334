"""The service of a frame on an engine: which of its containers run, and which versions there are to run."""

import re
import time
from collections.abc import Collection, Iterable

from ..engine import label
from ..engine.engine import Engine
from ..engine.records import ContainerRow, ImageRow
from ..host.text import age, printable
from ..settings.model import Frame

NEXT, REHEARSAL, RECOVERY = ".next", ".rehearsal", ".recovery"  # behind the service's name: a switch's own containers


def passing(frame: Frame) -> set[str]:
    """The names of the containers that are there only while a switch is under way, or was cut off."""
    return {frame.service + end for end in (NEXT, REHEARSAL, RECOVERY)}


def running(docker: Engine, frame: Frame) -> list[ContainerRow]:
    """The containers that run a version of this frame, whatever their names."""
    found = versions(docker, frame, docker.containers())
    return [container for container in found if container.running]


def versions(docker: Engine, frame: Frame, containers: Iterable[ContainerRow], known: str = "") -> list[ContainerRow]:
    """Those of the containers that were made from a version of this frame. `known`: the id of an image that is one.

    A container's labels are those of its image, and a child image inherits them; so the image decides. Either it has a
    tag of the frame's, or it lost its tag (the tag was built anew), and then it must not be a version's nameless child.
    """
    labelled = [container for container in containers if container.labels.get(label.NAME) == frame.image]
    images = {container.image for container in labelled}
    verdicts = {image: image == known or is_version(docker, frame, image) for image in images}
    return [container for container in labelled if verdicts[container.image]]


def is_version(docker: Engine, frame: Frame, image: str) -> bool:
    """Whether an image with the frame's name label is one of its versions; `image` is an id."""
    tags = docker.image_details(image).get("RepoTags") or ()
    if tags:
        return any(belongs(tag, frame) for tag in tags)
    return not is_child(docker, image, [row["Id"] for row in docker.labelled(frame.image)])


def belongs(reference: str, frame: Frame) -> bool:
    """Whether a reference is a tag in the frame's own repository."""
    return reference.rpartition(":")[0] == frame.image


def is_child(docker: Engine, image: str, others: Iterable[str]) -> bool:
    """Whether an image holds all layers of another one and more on top."""
    layers = docker.layers(image)
    return any(other != image and layers[: len(below)] == below and len(layers) > len(below) > 0
               for other in others if (below := docker.layers(other)))  # fmt: skip


def tag_of(frame: Frame, image: ImageRow) -> str:
    """The tag under which an image is a version of this frame; what `version_of` says if it has none (any more)."""
    return image.tag if belongs(image.reference, frame) else label.version_of(image.labels, image.id)


def by_own_name(docker: Engine, frame: Frame, image: ImageRow) -> ImageRow:
    """An image under the tag that it was built under, if that still means this very image: it may have others too."""
    own = f"{frame.image}:{label.version_of(image.labels, image.id)}"
    if image.reference == own:
        return image
    named = docker.image(own)
    return named if named and named.id == image.id else image


def kept_name(service: str, container: ContainerRow, taken: Collection[str]) -> str:
    """A free name for a container of an earlier version: `<service>.<tag>`, or with a number behind it."""
    name = f"{service}.{re.sub('[^a-zA-Z0-9_.-]', '-', label.version_of(container.labels, container.image))}"
    numbers = (f"{name}.{number}" for number in range(2, len(taken) + 3))
    return next(free for free in (name, *numbers) if free not in taken)


def kept(docker: Engine, frame: Frame) -> list[ContainerRow]:
    """The stopped containers of earlier versions, `<service>.…`, the last that ran first."""
    special = passing(frame)
    found = [
        container
        for container in versions(docker, frame, docker.containers())
        if container.name.startswith(f"{frame.service}.") and container.name not in special and not container.running
    ]
    finished = {
        container.id: docker.container(container.id).get("State", {}).get("FinishedAt", "") for container in found
    }
    return sorted(found, key=lambda container: finished[container.id], reverse=True)


def lines(images: Iterable[ImageRow], ids_running: set[str], now: float | None = None) -> dict[str, str]:
    """One line a version for people: tag, commit, branch, age, size, and which one runs."""
    moment = time.time() if now is None else now
    rows = [
        (
            image.tag,
            label.commit_of(image.labels)[:7] or "?",
            label.branch_of(image.labels) or "?",
            f"{age(moment - image.created)} old",
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
