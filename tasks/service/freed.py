"""How many bytes are freed by removing images: their layers, less those that another image has too.

docker names no layer's size: it is that of the instruction that made it.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

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
        for part, size in zip(parts, in_full(image, parts, known, whole), strict=False):
            sizes[part] = max(size, sizes.get(part, 0))
    return sum(size for part, size in sizes.items() if part not in held)


def in_full(image: Image, parts: Sequence[str], known: Sequence[int], whole: Mapping[str, int]) -> list[int]:
    """The sizes of an image's layers with what its store holds of them besides.

    containerd's keeps each layer packed too, and counts both in an image's size, but no more than the unpacked ones in
    what it says of the instructions. Elsewhere the two are the same.

    Args:
        parts: its chain.
        known: the size of each layer by the instructions.
        whole: the sizes of the images that are known, by the end of their chains.
    """
    start = max((place for place, part in enumerate(parts[:-1], 1) if part in whole), default=0)
    below = whole[parts[start - 1]] if start else 0
    above = sum(known[start:])
    rate = max((image.size - below) / above, 1.0) if above else 1.0
    return [*known[:start], *(round(size * rate) for size in known[start:])]


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
