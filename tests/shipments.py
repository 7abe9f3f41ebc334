"""Versions that have a layer of their own, and what an engine holds: for tests of bringing images elsewhere."""

import random

from engines import PrivateEngine
from images import grow
from sites import Site
from versions import configured

SIZE = 300_000  # bytes of what differs from version to version


def version(site: Site, tag: str, size: int = SIZE, **about: object) -> str:
    """Make a version with a layer of its own, which nothing can compress. Returns its id."""
    reference, configuration = configured(site, tag, **about)  # type: ignore[arg-type]
    return grow(site.engine, reference, configuration, {f"srv/{tag}": random.Random(tag).randbytes(size)})


def image_id(engine: PrivateEngine, reference: str) -> str:
    """The id of an image; "" for no such image."""
    found = engine.api.image(reference)
    return found.id if found else ""


def holds(engine: PrivateEngine) -> tuple[object, ...]:
    """All that an engine has: images with their names, containers, and the bytes of its layers."""
    images = sorted((row["Id"], sorted(row["RepoTags"] or [])) for row in engine.request("GET", "/images/json?all=1"))
    containers = [row["Id"] for row in engine.request("GET", "/containers/json?all=1")]
    return images, containers, engine.request("GET", "/system/df")["LayersSize"]
