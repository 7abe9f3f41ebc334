"""Which images of a service's frame may go, and why each of the others stays.

What goes is an old version, or what builds of this project left without a name: the former image of a tag that was
built anew, a base that nothing stands on any more. Whatever anybody's container uses stays, and so does all below it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from invoke import Exit
from msgspec import Struct
from msgspec.structs import replace

from ..engine import label, swarm
from ..engine.names import being_built
from ..engine.records import ContainerRow, Image, ImageRow
from . import situation, versions
from .freed import chain
from .service import Service

# Labels that only a switch's container has: an image with one is a `docker commit` of it.
OF_CONTAINERS = {label.SERVICE, label.RAN, label.REHEARSAL, label.RECOVERY, label.TICKET}
STAMPED = re.compile(rf"(/bin/sh -c #\(nop\)\s+)?LABEL\b.*{re.escape(label.INPUTS)}=", re.DOTALL)


class Retention(Struct, frozen=True):
    """What is to become of a frame's images.

    `versions` (newest first) and `leftovers` (without any name) may go; `others` are all other images of the engine.
    `reasons` says of each version that stays, by its tag, why. `unknown` counts the images without a name that nothing
    uses and that no build of this project's has finished: a failed one leaves such, but so does a `docker commit`. Of
    two that may go, the one that was made from the other comes first: docker refuses it the other way. `unasked`: this
    is a node of a swarm that cannot ask what a service goes back to.
    """

    versions: tuple[Image, ...]
    leftovers: tuple[Image, ...]
    others: tuple[Image, ...]
    reasons: Mapping[str, str]
    unknown: int = 0
    unasked: bool = False


def retention(service: Service, keep: int) -> Retention:
    """What may go, and what stays.

    Args:
        keep: how many of the newest versions stay, used or not.

    Raises:
        Exit: with code 1 when it cannot be read what must stay.
    """
    engine = service.engine
    used = in_a_switch(service) | uses(service, engine.containers())
    listing = engine.every_image()
    # By the list's size: where images lie in containerd's store, the other one is that of their compressed layers.
    images = {row.id: replace(found, size=row.size) for row in listing if (found := engine.image(row.id))}
    named = swarm.named(engine)
    used = by_swarm(named or {}, images.values()) | used
    rows = versions.here(listing, service.frame, service.settings.in_registry(service.frame))
    listed = [row for row in rows if row.id in images and not being_built(row.tag)]
    newest = newest_of(listed, keep)
    reasons = {row.id: used.get(row.id) or newest.get(row.id) or other_names(service, images[row.id]) for row in listed}
    old = {row.id: replace(images[row.id], reference=row.reference) for row in listed if not reasons[row.id]}
    left = {key: image for key, image in images.items() if key not in used and is_leftover(service, image)}
    parents = engine.parents()
    for image in stood_on(images, parents, old, left):
        if old.pop(image, None):
            reasons[image] = "another image stands on it"
        left.pop(image, None)
    return Retention(
        versions=children_first(old.values(), parents),
        leftovers=children_first(left.values(), parents),
        others=tuple(image for key, image in images.items() if key not in old and key not in left),
        reasons={versions.shown(row): reasons[row.id] for row in listed if reasons[row.id]}
        | moved_on(service, images, used),
        unknown=sum(
            nameless(image) and key not in used and not finished(service, image) for key, image in images.items()
        ),
        unasked=named is None,
    )


def newest_of(listed: Sequence[ImageRow], keep: int) -> dict[str, str]:
    """The newest of a frame's versions, by their ids, and why they stay. `listed`: all, newest first."""
    ahead = {row.id for row in listed if versions.dated_ahead(row)}
    found = {row.id: f"one of the newest {keep}" for row in [row for row in listed if row.id not in ahead][:keep]}
    # It takes no place of those that are dated rightly.
    return found | dict.fromkeys(ahead if keep else (), "dated ahead of this machine's clock")


def by_swarm(named: Mapping[str, str], images: Iterable[Image]) -> dict[str, str]:
    """The images that a swarm's services name, by their ids, and why they stay. `named`: as by `swarm.named`."""
    return {image.id: why for image in images for name, why in named.items() if swarm.means(name, image)}


def moved_on(service: Service, images: Mapping[str, Image], used: Mapping[str, str]) -> dict[str, str]:
    """Why each version of the frame that lost its tag stays, by that."""
    mine = [images[key] for key in used if key in images and label.names(images[key].labels, service.frame.image)]
    kept = [image for image in mine if nameless(image) and finished(service, image)]
    return {f"{label.version_of(image.labels, image.id)} (moved on)": used[image.id] for image in kept}


def uses(service: Service, containers: Sequence[ContainerRow]) -> dict[str, str]:
    """The images that a container uses, running or not and whoever's, by their ids; and which one."""
    if unknown := next((one.name for one in containers if not one.image), ""):
        said = f"The engine does not say which image the container {unknown} was made from"
        raise Exit(f"{said}, so nothing is removed. See: docker inspect {unknown}", code=1)
    mine = {one.id for one in service.own(containers)}
    found: dict[str, str] = {}
    for one in sorted(containers, key=lambda one: (one.id in mine, one.running)):  # the last one has the word
        state = "runs as" if one.running else "kept for rollback as"
        found[one.image] = f"{state} {one.name}" if one.id in mine else f"used by {one.name}"
    return found


def in_a_switch(service: Service) -> dict[str, str]:
    """The images that an unfinished switch goes back to, by their ids.

    Raises:
        Exit: with code 1 when a container that no switch made holds the candidate's name.
    """
    found = situation.unfinished(service)
    return {held.image: "a switch goes back to it" for held in found.ticket.old if held.image} if found else {}


def other_names(service: Service, image: Image) -> str:
    """Why an image stays for its names: one in another repository is somebody's, one of a build is in use."""
    known = versions.digests(image, service.settings.in_registry(service.frame))
    for name in (*image.tags, *image.digests):
        if name not in known and not versions.belongs(name, service.frame):
            return f"also called {name}"
        if being_built(name):
            return "being built"
    return ""


def is_leftover(service: Service, image: Image) -> bool:
    """Whether an image without a name was made by a build of this frame, or of the base, and by nothing after it.

    What others made from one, a `docker commit` or the steps of a build, has its labels. But the last instruction of
    this project's own builds sets them.
    """
    ours = (service.frame.image, service.settings.base.image)
    named = any(label.names(image.labels, name) for name in ours)
    return nameless(image) and named and not image.labels.keys() & OF_CONTAINERS and finished(service, image)


def nameless(image: Image) -> bool:
    return not image.tags and not image.digests


def finished(service: Service, image: Image) -> bool:
    """Whether the last instruction that an image was made by is that which sets the labels of this project's builds."""
    steps = service.engine.steps(image.id)
    return bool(steps) and STAMPED.match(steps[0].text) is not None


def ancestors(image: str, parents: Mapping[str, str]) -> set[str]:
    """What an image was made from, by `Engine.parents`, and what that was made from, and so on."""
    found = set[str]()
    while (image := parents.get(image, "")) and image not in found:
        found.add(image)
    return found


def children_first(images: Iterable[Image], parents: Mapping[str, str]) -> tuple[Image, ...]:
    """Images in their order, but each behind those that were made from it."""
    left, found = [*images], list[Image]()
    below = {one.id: ancestors(one.id, parents) for one in left}
    while left:
        held = set[str]().union(*(below[one.id] for one in left))
        free = [one for one in left if one.id not in held]
        found += free
        left = [one for one in left if one.id in held]
    return tuple(found)


def stood_on(images: Mapping[str, Image], parents: Mapping[str, str], *going: Mapping[str, Image]) -> set[str]:
    """Those of the images `going` on which one that stays stands, by its layers, its labels, or the engine's word."""
    gone = {key for some in going for key in some}
    stay: set[str] = set()
    while True:
        kept = [image for key, image in images.items() if key not in gone - stay]
        needed, below = Needed.by(kept), set[str]().union(*(ancestors(one.id, parents) for one in kept))
        more = {key for key in gone - stay if key in below or needed.covers(images[key])}
        if not more:
            return stay
        stay |= more


class Needed(Struct, frozen=True):
    """What some images stand on.

    `ids` are named on their labels. `parts` are the chains of layers below their last, with the inputs that an image
    with such a chain must have for one to be made from it: inherited labels say so, and by this project's own builds
    two images can share layers without that. `ends` are whole chains of theirs: what has one is not needed for it.
    """

    ids: set[str]
    parts: set[tuple[str, str | None]]
    ends: set[str]

    @classmethod
    def by(cls, images: Sequence[Image]) -> "Needed":
        ids, parts, ends = set[str](), set[tuple[str, str | None]](), set[str]()
        for image in images:
            inputs = image.labels.get(label.INPUTS)
            ids.update(re.findall("sha256:[0-9a-f]{64}", f"{image.labels.get(label.BASE)} {inputs}"))
            *below, end = chain(image) or [""]
            parts.update((part, inputs) for part in below)
            ends.add(end)
        return cls(ids, parts, ends)

    def covers(self, image: Image) -> bool:
        """Whether one of these images stands on this one."""
        end = "".join(chain(image)[-1:])
        inherited = (end, image.labels.get(label.INPUTS)) in self.parts
        return image.id in self.ids or inherited or ((end, None) in self.parts and end not in self.ends)
