"""How many bytes are freed by removing images: their layers, less those that another image has too.

docker names no layer's size: it is that of the instruction that made it.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence

from ..engine.engine import Engine
from ..engine.records import Image, Step

# Instructions that add no layer, as both builders note them.
NO_LAYER = re.compile(
    r"(/bin/sh -c #\(nop\)\s+)?"
    r"(ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|SHELL|STOPSIGNAL|USER|VOLUME)\b"
)


def chain(image: Image) -> list[str]:
    """For each layer of an image, from the lowest up, what tells it and all layers below it from any others."""
    found, below = [], ""
    for layer in image.layers:
        below = hashlib.sha256(f"{below} {layer}".encode()).hexdigest()
        found.append(below)
    return found


def freed(engine: Engine, gone: Sequence[Image], stay: Sequence[Image]) -> int:
    """The bytes that removing the images `gone` frees, as long as those of `stay` are there."""
    held = {part for image in stay for part in chain(image)}
    whole = {parts[-1]: image.size for image in (*stay, *gone) if (parts := chain(image))}
    sizes: dict[str, int] = {}
    for image in gone:
        parts = chain(image)
        known = layer_sizes(image, engine.steps(image.id))
        if known is None:  # its builder notes too little; what it stands on has a size all the same
            below = max((whole.get(part, 0) for part in parts[:-1]), default=0)
            known = [0] * (len(parts) - 1) + [image.size - below]
        for part, size in zip(parts, known, strict=False):
            sizes[part] = max(size, sizes.get(part, 0))
    return sum(size for part, size in sizes.items() if part not in held)


def layer_sizes(image: Image, steps: Sequence[Step]) -> list[int] | None:
    """The size of each layer of an image, from the lowest up; None where its instructions do not say.

    An instruction that added nothing may have made a layer all the same: a folder has no size.
    """
    for found in (with_size(steps), perhaps_empty(steps)):
        sizes = [*found][::-1]
        if len(sizes) == len(image.layers):
            return sizes
    return None


def with_size(steps: Iterable[Step]) -> Iterator[int]:
    return (step.size for step in steps if step.size)


def perhaps_empty(steps: Iterable[Step]) -> Iterator[int]:
    return (step.size for step in steps if step.size or not NO_LAYER.match(step.text))
