"""Removing old versions of a frame, and then what builds of this project left without a name."""

import sys
from collections.abc import Sequence

from invoke import Exit
from msgspec import Struct

from ..engine import commands, label
from ..engine.records import Image
from ..host import document, prompt, table
from ..host.saying import say
from ..host.text import brief, size
from . import versions
from .freed import freed
from .retention import Retention, retention
from .service import Service
from .situation import notice


class Wishes(Struct, frozen=True):
    """What the flags of `prune` ask for: how many of the newest versions stay, and whether nobody is asked."""

    keep: int
    yes: bool


def prune(service: Service, wishes: Wishes) -> None:
    """Show what may go and how many bytes that frees, ask, and remove it.

    Raises:
        Exit: with code 1 when it cannot be read what must stay, or something cannot be removed; 2 for a wrong number,
            or without anybody to ask; 130 when the answer is no.
    """
    if wishes.keep < 0:
        raise Exit("--keep takes a number of versions, 0 or more.", code=2)
    if unfinished := notice(service):
        say(unfinished)
    found = retention(service, wishes.keep)
    show_kept(found)
    tell_unknown(found)
    gone = (*found.versions, *found.leftovers)
    if not gone:
        say(f"There is nothing to remove of {service.frame.image}.")
        return
    frees = freed(service.engine, gone, found.others)
    if found.unasked:
        tell_unasked(wishes.keep)
    show_gone(service, found)
    shared = "frees next to nothing: all that is in their layers is in images that stay."
    say(f"Removing {counted(found)} {f'frees about {size(frees)}.' if frees else shared}")
    if not (wishes.yes or service.dry):
        way = service.next_command("prune", "--yes")
        prompt.confirm("Remove them?", f"Nobody can be asked, so nothing was removed. To remove them, type: {way}")
        found = both(found, retention(service, wishes.keep))
    remove(service, found)


def remove(service: Service, found: Retention) -> None:
    """Remove the versions, and then those leftovers that nothing stands on now.

    Raises:
        Exit: with code 1 when docker refuses some of it.
    """
    refused = [image for image in found.versions if not remove_version(service, image)]
    leftovers = found.leftovers
    if leftovers and not service.dry:
        every = retention(service, keep=sys.maxsize)  # whatever version is there still stays, and so does its base
        leftovers = both(found, every).leftovers
    refused += [image for image in leftovers if not removed(service, image.id)]
    if refused:
        raise Exit(f"{len(refused)} of these images could not be removed; the lines above say why.", code=1)
    if not service.dry:
        say(f"Removed {counted(Retention(found.versions, leftovers, (), {}))}.")


def both(one: Retention, other: Retention) -> Retention:
    """What may go by both: what somebody has begun to use since it was shown stays."""
    still = {image.id for image in (*other.versions, *other.leftovers)}
    versions = tuple(image for image in one.versions if image.id in still)
    leftovers = tuple(image for image in one.leftovers if image.id in still)
    return Retention(versions, leftovers, other.others, other.reasons)


def remove_version(service: Service, image: Image) -> bool:
    """Remove a version with all its names. Returns whether docker did.

    The last tag goes with the image, by its id: a tag may mean another image by now. A digest never does. By its id,
    docker removes none that has names in two repositories.
    """
    names = [name for name in image.digests if not (image.tags and versions.belongs(name, service.frame))]
    last = names.pop() if names and not image.tags else image.id
    names += image.tags[1:]
    if names and not service.dry and any(one.image == image.id for one in service.engine.containers()):
        say(f"{versions.shown(image)} stays: a container uses it by now.")
        return False
    for name in names:
        now = service.engine.image(name)
        if now and now.id == image.id and not removed(service, name):
            return False
    return removed(service, last)


def removed(service: Service, image: str) -> bool:
    """Whether docker removes an image, unforced: it refuses one that a container uses.

    That somebody else was faster is no refusal.
    """
    try:
        service.do(commands.remove_image(image), f"{image} stays: it cannot be removed.")
    except Exit as error:
        if not service.engine.image(image):
            return True
        say(f"Warning: {error.message}")
        return False
    return True


def show_kept(found: Retention) -> None:
    """Say which versions stay, and why, as a table."""
    if found.reasons:
        rows = [(tag, brief(why)) for tag, why in found.reasons.items()]
        table.show("These versions stay:", ("version", "why"), rows)


def tell_unknown(found: Retention) -> None:
    """Say what else has no name: whether somebody needs it, only people know."""
    if found.unknown:
        what = f"{found.unknown} image{'s' * (found.unknown > 1)} without a name"
        why = "a build that failed leaves such, and so does a docker commit. See: docker images --filter dangling=true"
        say(f"Not looked at: {what}; {why}")


def tell_unasked(keep: int) -> None:
    """Say what a node of a swarm cannot know: only managers are told what a service goes back to."""
    rest = "nothing stays" if not keep else "the newest stays" if keep == 1 else f"the newest {keep} stay"
    said = "This node cannot ask its swarm which version a service goes back to: beside what containers use,"
    say(f"{said} {rest} (--keep). What was rolled out by its digest is fetched again when a service needs it.")


def show_gone(service: Service, found: Retention) -> None:
    """Show what may go, as a table."""
    rows = [
        row(image, ", ".join(tag.rpartition(":")[2] for tag in image.tags) or versions.shown(image))
        for image in found.versions
    ]
    for image in found.leftovers:
        is_base = label.names(image.labels, service.settings.base.image)
        rows.append(row(image, "a former base" if is_base else f"built as {label.version_of(image.labels, image.id)}"))
    table.show(
        "These go:", ("image", "commit", "built", "size", "id"), rows, right=("size",), spare=("built", "commit")
    )


def row(image: Image, what: str) -> tuple[str, ...]:
    commit, built = label.commit_of(image.labels)[:7], document.moment(image.created)
    return what, commit or "?", (built or "?")[:10], size(image.size), image.id.removeprefix("sha256:")[:12]


def counted(found: Retention) -> str:
    """How many versions and leftovers there are, in words."""
    said = [number(found.versions, "version"), number(found.leftovers, "leftover of builds", "leftovers of builds")]
    return " and ".join(word for word in said if word)


def number(images: Sequence[Image], one: str, more: str = "") -> str:
    return f"{len(images)} {one if len(images) == 1 else more or one + 's'}" if images else ""
