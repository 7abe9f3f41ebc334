"""The image that another is built on: the parent below the base, the base below a frame."""

from invoke import Exit
from msgspec import Struct

from ..engine import commands, label
from ..engine.records import Image
from .build import Build
from .this_run import base_pending


class Below(Struct, frozen=True):
    """An image to build on. `digest` is its registry's, or its id; `pins` is what a base holds of vendor/, as JSON."""

    reference: str
    id: str
    digest: str
    pins: str = "{}"


def below(reference: str, image: Image) -> Below:
    """An image that is here, as one to build on."""
    digest = image.digests[0].rpartition("@")[2] if image.digests else image.id
    return Below(reference, image.id, digest, image.labels.get(label.VENDOR, "{}"))


def bring_parent(build: Build) -> Below:
    """The first layer, which is pulled if it is not here.

    Raises:
        Exit: with code 1 when it cannot be pulled.
    """
    reference = build.settings.base.parent
    found = build.engine.image(reference)
    if found is None:
        build.do(
            commands.pull(reference),
            f"The parent image {reference} (setting stack.base.parent) is not here and cannot be pulled. "
            "Bring it with docker load or docker pull, or name one that is here.",
        )
        found = build.engine.image(reference)
    if found is None:  # under --dry nothing was pulled
        return Below(reference, "sha256:unknown", "sha256:unknown")
    return below(reference, found)


def find_base(build: Build) -> Below:
    """The base that is here.

    Raises:
        Exit: with code 1 when there is none.
    """
    reference = f"{build.settings.base.image}:latest"
    found = None if base_pending(build.c) else build.engine.image(reference)
    if found is not None:
        return below(reference, found)
    if not build.dry:
        raise Exit(f"There is no base image {reference}. Type: inv base", code=1)
    return Below(reference, "unknown", "unknown")  # `base` has only said that it would build it
