"""What changed between two versions: commits, the base, vendored pins."""

import json
from collections.abc import Mapping
from pathlib import Path

from invoke import Context, Exit
from msgspec import Struct

from ..building.dockerfile import dockerfile
from ..building.ingredients import VENDOR, reached
from ..building.inputs import changed
from ..building.instructions import copied
from ..building.release import head
from ..engine import label
from ..engine.engine import Engine
from ..engine.records import ImageRow
from ..host import table
from ..host.saying import say
from ..host.text import brief
from ..service import pick, versions
from ..service.service import Service
from ..settings.model import ROOT, Settings
from ..vendoring.pins import describe, read_pins
from . import standing
from .commits import Commit, between, fetch, known


class Side(Struct, frozen=True):
    """One of the two. `tag` is None for the source's HEAD.

    `base` is the id of the base that it was, or would be, built on; `parent` that of a parent of its own instead.
    """

    tag: str | None
    commit: str | None
    branch: str | None
    dirty: bool | None
    base: str | None
    parent: str | None


class Pin(Struct, frozen=True):
    """A vendored library whose pin differs; None on the side that does not have it."""

    name: str
    before: str | None
    after: str | None


class Missing(Struct, frozen=True):
    """A commit that the source does not have, and the command that brings it; None where nobody knows one."""

    tag: str
    commit: str | None
    fetch: str | None


class Changes(Struct, frozen=True, rename={"from_": "from"}):
    """What changed from one version to another. None is what cannot be known.

    `commits` are those that only `to` has, `dropped` those that only `from` has, the newest first; None where one is
    `missing`. `base_changed` says whether both stand on the same base, `base_inputs` what of the base differs.
    """

    frame: str
    source: str
    from_: Side
    to: Side
    commits: tuple[Commit, ...] | None
    dropped: tuple[Commit, ...] | None
    missing: tuple[Missing, ...]
    base_changed: bool | None
    base_inputs: tuple[str, ...] | None
    pins: tuple[Pin, ...] | None


def report(c: Context, name: str, older: str, newer: str) -> Changes:
    """What changed from the version with the tag `older`, "" for the one that runs, to `newer`, "" for HEAD.

    Raises:
        Exit: with code 2 when there is no such version, 1 when the source is no git checkout.
    """
    service = Service.of(c, name)
    settings, frame = service.settings, service.frame
    source = settings.path(frame.source or settings.source)
    revision, branch = head(c, source, "The settings name it as source.")
    before = pick.tagged(service, older, "--from") if older else pick.running(service, "--from")
    after = pick.tagged(service, newer, "--to") if newer else None
    first, last = side(service, before), side(service, after) if after else at_head(service, revision, branch)
    ids = [known(c, source, one.commit or "") for one in (first, last)]
    lost = [image for image, key in ((before, ids[0]), (after, ids[1])) if image and not key]
    return Changes(
        frame=settings.key(frame),
        source=str(source),
        from_=first,
        to=last,
        commits=between(c, source, *ids) if all(ids) else None,
        dropped=between(c, source, *reversed(ids)) if all(ids) else None,
        missing=tuple(missing(c, source, image) for image in lost),
        base_changed=first.base != last.base if first.base and last.base else None,
        base_inputs=of_bases(service.engine, first.base, last.base),
        pins=differing(vendored(before.labels), vendored(after.labels) if after else todays(settings, last)),
    )


def side(service: Service, image: ImageRow) -> Side:
    """A version as one of the two."""
    said = image.labels
    return Side(
        tag=versions.tag_of(service.frame, image),
        commit=label.commit_of(said) or None,
        branch=label.branch_of(said) or None,
        dirty=label.is_dirty(said),
        base=label.base_of(said) or None,
        parent=None if label.base_of(said) else standing.parent_of(said),
    )


def at_head(service: Service, revision: str, branch: str) -> Side:
    """The source's HEAD as one of the two, as if it were built now."""
    return Side(None, revision, branch, False, *standing.at_head(service))


def missing(c: Context, source: Path, image: ImageRow) -> Missing:
    """A version whose commit the source does not have."""
    tag = label.version_of(image.labels, image.id)
    return Missing(tag, label.commit_of(image.labels) or None, fetch(c, source, image) or None)


def vendored(labels: Mapping[str, str]) -> dict[str, str] | None:
    """The pins that a version's label holds; None where it has none, or what cannot be read."""
    try:
        found = json.loads(labels.get(label.VENDOR, ""))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return {name: pin for name, pin in found.items() if isinstance(pin, str)}


def todays(settings: Settings, head: Side) -> dict[str, str] | None:
    """The pins of vendor.yaml that the base's Dockerfile copies; None for a HEAD that does not stand on the base."""
    if head.parent:
        return None
    paths = copied(dockerfile(settings.path(settings.base.dockerfile), "stack.base.dockerfile"))
    pins = describe(read_pins(ROOT / VENDOR / "vendor.yaml"))
    return {name: pin for name, pin in pins.items() if reached(f"{VENDOR}/{name}", paths)}


def differing(before: Mapping[str, str] | None, after: Mapping[str, str] | None) -> tuple[Pin, ...] | None:
    """The pins that are not the same on both sides, by name."""
    if before is None or after is None:
        return None
    names = sorted(before.keys() | after.keys())
    found = [Pin(name, before.get(name), after.get(name)) for name in names]
    return tuple(pin for pin in found if pin.before != pin.after)


def of_bases(engine: Engine, before: str | None, after: str | None) -> tuple[str, ...] | None:
    """Which inputs of two bases differ; None unless both are still here, and say so."""
    found = [engine.image(base) if base else None for base in (before, after)]
    if not (found[0] and found[1] and label.INPUTS in found[1].labels):
        return None
    try:
        inputs = json.loads(found[1].labels[label.INPUTS])
    except (ValueError, RecursionError):
        return None
    return tuple(changed(found[0].labels, inputs)) if isinstance(inputs, dict) else None


def show(found: Changes) -> None:
    """Print what changed, for people."""
    first, last = named(found.from_), named(found.to)
    if found.commits is not None:
        show_commits(f"{first} → {last}: {counted(found.commits)}", found.commits)
    else:
        say(table.readable(f"{first} → {last}: which commits lie between cannot be told here."))
    if found.dropped:
        show_commits(f"Only in {first}: {counted(found.dropped)}", found.dropped)
    show_below(found)
    if found.pins:
        rows = [(pin.name, pin.before or "", pin.after or "") for pin in found.pins]
        print("Vendored libraries:")
        table.show("", ("library", "before", "after"), rows)
    elif found.pins is not None or found.from_.base or found.to.base:  # they are the base's
        print("Vendored libraries: " + ("not known of both." if found.pins is None else "the same."))


def show_below(found: Changes) -> None:
    """Print what the two stand on: the base, or a parent of their own; nothing where neither names any."""
    first, last = (one.base or one.parent for one in (found.from_, found.to))
    what = "Parent" if found.from_.parent and found.to.parent else "Base"
    if first and first == last:
        print(f"{what}: the same.")
    elif first and last:
        why = f" ({', '.join(found.base_inputs)})" if found.base_inputs else ""
        say(f"{what}: {short(first)} → {short(last)}{brief(why)}")
    elif found.from_.base or found.to.base:
        print("Base: not known of both.")


def refuse_missing(found: Changes) -> None:
    """Say which fetch brings the commits that are not here.

    Raises:
        Exit: with code 1 when there are such.
    """
    said = [
        f"{found.source} does not have the commit of {one.tag}{f', {one.commit}' if one.commit else ''}. "
        + (f"Type: {one.fetch}" if one.fetch else "Its labels do not say where it is.")
        for one in found.missing
    ]
    if said:
        raise Exit("\n".join(said), code=1)


def show_commits(title: str, commits: tuple[Commit, ...]) -> None:
    rows = [(one.id[:7], (one.date or "?")[:10], one.author, one.subject) for one in commits]
    say(table.readable(title))
    if rows:
        table.show("", ("commit", "date", "author", "subject"), rows, spare=("author", "date"))


def named(one: Side) -> str:
    """A side for people: 0.2.7 (1234567 of main, dirty)."""
    where = f"{(one.commit or '?')[:7]} of {one.branch or '?'}{', dirty' if one.dirty else ''}"
    return f"{one.tag or 'HEAD'} ({where})"


def counted(commits: tuple[Commit, ...]) -> str:
    return f"{len(commits)} commit{'s' * (len(commits) != 1)}"


def short(image: str | None) -> str:
    return brief((image or "?").removeprefix("sha256:")[:12])
