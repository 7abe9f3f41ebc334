"""Every version of the frames: what it was made from, its size, its base, and which containers use it."""

import time
from collections.abc import Mapping, Sequence

from invoke import Context
from msgspec import Struct
from msgspec.structs import replace

from ..engine import label
from ..engine.engine import current_engine
from ..engine.names import being_built
from ..engine.records import ContainerRow, ImageRow
from ..host import document, table
from ..host.saying import say
from ..host.text import ago, size
from ..service import versions
from ..service.service import Service
from ..settings.this_run import load_settings, next_command
from .standing import parent_of

HEADS = ("frame", "tag", "commit", "branch", "built", "size", "own", "state", "base")
SPARE = ("base", "branch", "size")
GOOD, ODD = "green", "yellow"  # how a terminal with colours shows what is so


class Base(Struct, frozen=True):
    """The image below a version. `name` is what it was called then; `present`: that still means this image."""

    name: str | None
    id: str
    present: bool


class Version(Struct, frozen=True):
    """A version of a frame.

    `frame` is its key in the settings. `tagged` is false where the tag has moved on or is gone, and a container of the
    service still uses the image, or where only a digest names it; `digests` are what it is called in the registry's
    repository. `building`: a build is at it, or was killed. `dirty`: from uncommitted changes.
    `built` is in ISO 8601. `size` and `own_size`, what is not shared with the base, are in bytes. `running` and `kept`
    name the service's containers; `others` counts those that are somebody else's. None is what the image does not say.
    """

    frame: str
    tag: str
    tagged: bool
    building: bool
    id: str
    commit: str | None
    branch: str | None
    dirty: bool | None
    built: str | None
    size: int
    own_size: int | None
    base: Base | None
    running: tuple[str, ...]
    kept: tuple[str, ...]
    others: int
    digests: tuple[str, ...] = ()


class Images(Struct, frozen=True):
    """The versions of all frames that were asked for, newest first within each frame."""

    versions: tuple[Version, ...]


class Seen(Struct, frozen=True):
    """What all versions are held against: all images by id, all containers, the id of the present base."""

    images: Mapping[str, ImageRow]
    containers: Sequence[ContainerRow]
    base: str


def report(c: Context, name: str) -> Images:
    """The versions of one frame, or with the name "" of all: asked in a fixed number of questions.

    Raises:
        Exit: with code 2 when there is no such frame.
    """
    settings, engine = load_settings(c), current_engine()
    frames = {name: settings.frame(name)} if name else settings.frames
    images = {row.id: row for row in engine.every_image()}
    latest = f"{settings.base.image}:latest"
    present = next((row.id for row in images.values() if latest in row.tags), "")
    seen = Seen(images, engine.containers(), present)
    found = [
        version for key, frame in frames.items() for version in all_of(Service(c, engine, settings, frame), key, seen)
    ]
    return Images(tuple(found))


def all_of(service: Service, key: str, seen: Seen) -> list[Version]:
    """The versions of one frame, newest first, those that lost their tag last."""
    mine = service.own(seen.containers)
    image, remote = service.frame.image, service.settings.in_registry(service.frame)
    here = versions.here(seen.images.values(), service.frame, remote)
    used = dict.fromkeys(one.image for one in mine)
    known = {row.id for row in here}
    nameless = [seen.images[image] for image in used if image not in known and image in seen.images]
    found = [(row, version_of(key, row, mine, seen)) for row in (*here, *nameless)]
    # In containerd's store an image with a tag has a digest in that repository, whether a registry knows it or not.
    return [
        replace(one, digests=tuple(versions.digests(row, remote, "" if one.tagged else image))) for row, one in found
    ]


def version_of(key: str, row: ImageRow, mine: Sequence[ContainerRow], seen: Seen) -> Version:
    """One version. `mine`: the containers of its service."""
    tagged = row.reference in row.tags and label.names(row.labels, row.reference)
    own = [one for one in mine if one.image == row.id]
    base = base_of(row, seen)
    below = seen.images.get(base.id) if base else None
    return Version(
        frame=key,
        tag=row.tag if tagged else label.version_of(row.labels, row.id),
        tagged=tagged,
        building=tagged and being_built(row.tag),
        id=row.id,
        commit=label.commit_of(row.labels) or None,
        branch=label.branch_of(row.labels) or None,
        dirty=label.is_dirty(row.labels),
        built=document.moment(row.created),
        size=row.size,
        own_size=row.size - below.size if below and below.size <= row.size else None,
        base=base,
        running=tuple(one.name for one in own if one.running),
        kept=tuple(one.name for one in own if not one.running),
        others=sum(one.image == row.id for one in seen.containers) - len(own),
    )


def base_of(row: ImageRow, seen: Seen) -> Base | None:
    """The image that a version says it was built on: the base, or a parent of its own; None if it says neither."""
    if image := label.base_of(row.labels):
        return Base(row.labels.get(label.OCI + "base.name"), image, present=image == seen.base)
    image = parent_of(row.labels) or ""
    below = seen.images.get(image)
    return Base(below.reference, image, present=bool(below.tags)) if below else None


def show(c: Context, found: Images, name: str) -> None:
    """Print the versions as a table. `name`: of the frame that was asked for; "" for all."""
    if not found.versions:
        frames = load_settings(c).frames
        way = next_command(c, frames[name or next(iter(frames))], "frame")
        say(f"There is no version on this engine yet. Type: {way}")
        return
    several = len({version.frame for version in found.versions}) > 1
    skip = 0 if several else 1
    rows = [line(version)[skip:] for version in found.versions]
    table.show("", HEADS[skip:], rows, right=("size", "own"), spare=SPARE)


def line(version: Version) -> tuple[str, ...]:
    """A version's row, as HEADS says."""
    commit = (version.commit or "?")[:7]
    return (
        version.frame,
        named(version),
        table.Styled(f"{commit} dirty", ODD) if version.dirty else commit,
        version.branch or "?",
        since(version.built),
        size(version.size),
        "?" if version.own_size is None else size(version.own_size),
        table.Styled(state(version), GOOD if version.running else ""),
        base_shown(version.base),
    )


def named(version: Version) -> str:
    """What a version is called here: its tag; a digest's beginning, if that alone names it; or neither any more."""
    if version.tagged:
        return version.tag
    return versions.by_digest(version.tag, version.digests[0]) if version.digests else f"{version.tag} (moved on)"


def base_shown(base: Base | None) -> str:
    """The base below a version, in a few words."""
    short = base.id.removeprefix("sha256:")[:12] if base else "?"
    return short if not base or base.present else table.Styled(f"{short} former", ODD)


def since(built: str | None) -> str:
    """How long ago something was, by its time in ISO 8601; "?" where that is not known."""
    return ago(time.time() - label.created_of({label.CREATED: built})) if built else "?"


def state(version: Version) -> str:
    """What uses a version, in a few words."""
    said = [
        "being built" if version.building else "",
        "running" if version.running else "",
        "kept" if version.kept else "",
        f"{version.others} other{'s' * (version.others > 1)}" if version.others else "",
    ]
    return ", ".join(word for word in said if word)
