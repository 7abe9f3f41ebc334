"""Removing bases that lost their tag to a newer one, as far as nothing stands on them."""

from collections.abc import Iterable

from invoke import Exit

from ..engine import commands, label
from ..engine.engine import Engine
from ..engine.records import Image
from ..host.saying import say
from .build import Build


def remove_former_bases(build: Build, former: Image | None) -> None:
    """Remove the bases that lost their tag, except those that a container or a frame still stands on.

    `former` is the one that just lost it: the old script's has no label, so that no list names it.
    """
    engine, name = build.engine, build.settings.base.image
    labelled = complete(engine, [row.id for row in engine.stamped(name, between=True)])
    listed = {row.id for row in engine.stamped(name)}
    bases = [image for image in labelled if image.id in listed and not inherited(image, labelled)]
    if former and all(image.id != former.id for image in labelled):
        bases += complete(engine, [former.id])
    lost = ((), (f"{name}:latest",)) if build.dry else ((),)  # under --dry, the one tag that it would have lost
    orphans = [image for image in bases if image.tags in lost]
    if not orphans:
        return
    used = {container.image for container in engine.containers()}
    ids = {image.id for image in bases}
    others = complete(engine, [image for image in engine.image_ids() if image not in ids])
    for orphan in orphans:
        if orphan.id not in used and not any(stands_on(other, orphan) for other in others):
            remove(build, orphan)


def complete(engine: Engine, ids: Iterable[str]) -> list[Image]:
    """These images with all that the engine knows of them; without those that are gone by now."""
    return [image for image in map(engine.image, ids) if image]


def inherited(image: Image, labelled: Iterable[Image]) -> bool:
    """Whether an image has its labels from a base that it was made from, by hand: that one is not ours to remove."""
    inputs = image.labels.get(label.INPUTS)
    return any(
        image.layers != other.layers and rests_on(image, other)
        for other in labelled
        if other.labels.get(label.INPUTS) == inputs
    )


def stands_on(image: Image, base: Image) -> bool:
    """Whether an image was made from this base: by labels that a frame gets or a child inherits, else by its layers."""
    if named := image.labels.get(label.BASE):
        return named == base.id
    if inputs := image.labels.get(label.INPUTS):
        return inputs == base.labels.get(label.INPUTS)
    return rests_on(image, base)


def rests_on(image: Image, other: Image) -> bool:
    """Whether an image has all layers of another one at its bottom."""
    return image.layers[: len(other.layers)] == other.layers


def remove(build: Build, base: Image) -> None:
    """Remove a former base. The new one is in place, so failing here is worth a line and no more."""
    try:
        build.do(commands.remove_image(base.id), f"The former base {base.id[7:19]} stays: it cannot be removed.")
    except Exit as error:
        say(error.message or "")
