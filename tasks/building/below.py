"""The image that another is built on: the parent below the base, the base below a frame."""

from pathlib import Path

from invoke import Exit
from msgspec import Struct

from ..engine import commands, label
from ..engine.records import Image
from ..host.shell import Show
from .build import Build
from .instructions import Standing, same
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


def bring_parent(build: Build, file: Path, standing: Standing) -> Below:
    """The first layer, which is pulled if it is not here. A Dockerfile may name another one than the settings.

    Raises:
        Exit: with code 1 when it cannot be pulled.
    """
    parent = build.settings.base.parent
    if standing.names(parent):
        return bring(build, parent, "setting stack.base.parent")
    return bring(build, standing.root, f"named in {file}")


def bring(build: Build, reference: str, why: str) -> Below:
    """An image from elsewhere, which is pulled if it is not here; `why` says where it is named.

    Raises:
        Exit: with code 1 when it cannot be pulled.
    """
    found = build.engine.image(reference)
    if found is None:
        build.do(
            commands.pull(reference),
            f"The parent image {reference} ({why}) is not here and cannot be pulled. "
            "Bring it with docker load or docker pull, or name one that is here.",
            Show.DISPLAY,
        )
        found = build.engine.image(reference)
    if found is None:  # under --dry nothing was pulled
        return Below(reference, "sha256:unknown", "sha256:unknown")
    return below(reference, found)


def bring_others(build: Build, file: Path, standing: Standing, known: str) -> dict[str, str]:
    """The ids of the images that a Dockerfile names beside one that is known already; pulled if they are not here.

    Raises:
        Exit: with code 1 when one cannot be pulled.
    """
    others = [image for image in standing.images if not same(image, known)]
    return {image: bring(build, image, f"named in {file}").id for image in others}


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


def refuse_moved(build: Build, found: Below) -> None:
    """Refuse what was built while the base got another image: it may stand on either.

    Raises:
        Exit: with code 1.
    """
    now = build.engine.image(found.reference)
    if now is None or now.id != found.id:
        raise Exit(f"{found.reference} was built anew by somebody else meanwhile. Type the same again.", code=1)
