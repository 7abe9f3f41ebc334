"""Whose a container is: a service's, or somebody's training, notebook or shell that was made from the same image.

A service's container carries the service's own label, which a switch sets; or it was started by hand from a version of
the frame, and bears the service's name or the one that its image recommends, or a kept name that a switch gave it.
Whatever else was made from a frame is its owner's: it is never stopped, renamed, removed or counted.
"""

import re
from collections.abc import Iterable

from ..engine import label
from ..engine.engine import Engine
from ..engine.records import ContainerRow
from ..settings.model import Frame
from . import record, ticket, versions

MADE_WITHIN = 60.0  # seconds between a ticket's moment and its container's; another host's clock may go a little wrong


def own(engine: Engine, frame: Frame, containers: Iterable[ContainerRow], known: str = "") -> list[ContainerRow]:
    """Those of the containers that are the service's of this frame. `known`: the id of an image that is a version."""
    verdicts: dict[str, bool] = {known: True} if known else {}  # of images: whether they are versions

    def is_version(image: str) -> bool:
        if image not in verdicts:
            verdicts[image] = versions.is_version(engine, frame, image)
        return verdicts[image]

    containers = list(containers)
    switched = by_switch(engine, containers)
    before = replaced(one for one in containers if one.id in switched)
    found = []
    for container in containers:
        if container.id in switched and label.SERVICE in container.labels:
            mine = container.labels[label.SERVICE] == frame.service
        else:
            stopped = container.id[:12] in before or not container.running
            mine = bears_name(frame, container, stopped) and is_version(container.image)
        if mine:
            found.append(container)
    return found


def by_switch(engine: Engine, containers: Iterable[ContainerRow]) -> set[str]:
    """The ids of those that a switch made: each has a ticket of its own.

    A copy of one has its ticket too: some tools take all labels along when they run the same once more. So the eldest
    counts; and where that is gone, its name or its age must be right.

    One whose ticket is its image's was made from a `docker commit` of such a container. Its image is asked, and not
    for every image with a ticket: the engine takes long to look through thousands.
    """
    tickets = [one for one in containers if label.TICKET in one.labels]
    images = {key: engine.image(key) for key in {one.image for one in tickets}}

    def of_image(one: ContainerRow) -> bool:
        found = images[one.image]
        return found is not None and found.labels.get(label.TICKET) == one.labels[label.TICKET]

    eldest: dict[str, ContainerRow] = {}
    tickets.reverse()  # the engine lists the youngest first, and tells seconds
    for one in sorted(tickets, key=lambda one: one.created):
        if not of_image(one):
            eldest.setdefault(one.labels[label.TICKET], one)
    return {one.id for one in eldest.values() if as_its_ticket_says(one)}


def replaced(switched: Iterable[ContainerRow]) -> set[str]:
    """What switches have replaced, by the tickets of what they made: the first 12 characters of each id."""
    return {held.id for one in switched if (found := ticket.read(one)) for held in found.old}


def as_its_ticket_says(container: ContainerRow) -> bool:
    """Whether a container has a name of its service, or was made when its ticket was: it may have been renamed."""
    service, found = container.labels.get(label.SERVICE, ""), ticket.read(container)
    if service and (container.name == service or container.name.startswith(f"{service}.")):
        return True
    return found is not None and abs(container.created - found.since) <= MADE_WITHIN


def bears_name(frame: Frame, container: ContainerRow, stopped: bool) -> bool:
    """Whether a container that no switch made bears the service's name, or one that is kept for it.

    Its labels are those of its image, so the name that its image recommends is among them.

    Args:
        stopped: whether it does not run, or a switch has replaced it. Else somebody tries that version under that name.
    """
    labels = container.labels
    if not label.names(labels, frame.image) or labels.keys() & {label.REHEARSAL, label.RECOVERY}:
        return False
    kept = re.escape(versions.plain_kept_name(frame.service, container)) + r"(\.\d+)?"
    if container.name == frame.service or (stopped and re.fullmatch(kept, container.name)):
        return True
    recommended = record.read(labels.get(label.COMMAND, ""))
    # Built for another port, it is the service of other settings for the same image.
    same_port = labels.get(label.PORT, "") in ("", str(frame.port or ""))
    return recommended is not None and container.name == recommended.name and same_port
