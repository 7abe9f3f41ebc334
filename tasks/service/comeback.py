"""Bringing back what ran before a switch: its name, its state and its restart policy; and the container itself, made
anew from its image and its record where somebody removed it meanwhile.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from invoke import Exit
from msgspec import Struct

from ..engine import commands, label
from ..engine.client import Unreachable
from ..engine.records import Container
from ..host import progress
from ..host.saying import say
from ..host.shell import Failed
from . import acts, health, reach, record, ticket, versions
from .holding import Lock, Lost
from .order import Wishes, checked_command
from .service import Service
from .ticket import Held

if TYPE_CHECKING:
    from ..engine.records import ImageRow
    from ..recommended.command import Recommended

    Making = tuple[ImageRow, Recommended]


class Comeback(Struct, frozen=True):
    """Going back from a switch. `since` and `rehearsed`: as `acts.await_stop` takes them."""

    lock: Lock
    since: float
    rehearsed: bool


def bring_back(back: Comeback, held: Held) -> str:
    """Give one old container its name and its state back, and wait until it is healthy. Returns what is wrong, or "".

    Raises:
        Lost: when this run does not hold its lock any more.
    """
    name, engine, container = held.name, back.lock.service.engine, None
    try:
        container = there(back.lock, held)
        if not container and not held.running:
            return ""
        container = container or engine.container(made_anew(back.lock, held))
        if not container:
            return f"{name}, which ran before, has vanished."
        name = as_before(back.lock, container, held)
        if not held.running:
            return ""
        if container.running:
            acts.await_stop(back.lock, container, back.since, back.rehearsed)
            container = engine.container(container.id) or container
        if not acts.revive(back.lock, container, f"{name} cannot be started again."):
            return ""
        join(back.lock, container, held)
        with progress.waiting(f"{name} comes back") as tell:
            trouble = health.wait(back.lock.service, container.id, 0, tell, back.lock.hold).trouble
    except (Lost, Unreachable):
        raise
    except Exit as error:
        return f"{error.message} See: {back.lock.service.docker('logs', name)}" if container else error.message or ""
    see = back.lock.service.docker("logs", name)
    return f"{name}, which ran before, {trouble}. See: {see}" if trouble else ""


def again(back: Comeback, held: Held, trouble: str) -> str:
    """Bring an old container back once more, unless it runs and is ill. Returns what is wrong, or ""."""
    found = there(back.lock, held)
    return trouble if found and found.running else bring_back(back, held)


def there(lock: Lock, held: Held) -> Container | None:
    """An old container, or the one that was made anew in its place: of the same version, under its name."""
    engine = lock.service.engine
    if found := acts.left(lock.service, held.id):
        return found
    found = engine.container(held.name)
    same = found and held.image in ("", found.image) and lock.service.own([found])
    return found if same else None


def as_before(lock: Lock, container: Container, held: Held) -> str:
    """Restore a container's name and restart policy. Returns the name that it has now."""
    name, short = container.name, acts.short(container)
    if name != held.name and not lock.service.engine.container(held.name):
        lock.do(commands.rename(short, held.name), f"{name} cannot get its name {held.name} back.")
        name = held.name
    if held.restart and held.restart != container.restart_option:
        lock.do(commands.restart_policy(short, held.restart), f"{name} cannot get its restart policy back.")
    return name


def ports(lock: Lock) -> reach.Ports:
    """The ports that clients reached the old versions at, by the records of how they ran, else as their images say."""
    found: set[reach.Port] = set()
    for held in lock.ticket.old:
        if held.running and (command := record.read(held.ran) or recommended(lock.service, held)):
            found.update(reach.taken(lock.service, command))
    return tuple(sorted(found))


def recommended(service: Service, held: Held) -> "Recommended | None":
    """The recommended command of an old container's image, unchecked; None without one."""
    image = service.engine.image(held.image) if held.image else None
    return record.read(image.labels.get(label.COMMAND, "")) if image else None


def made_anew(lock: Lock, held: Held) -> str:
    """Create a container in place of one that was removed, by its record, else by its image's recommended command.

    Returns:
        Its name.

    Raises:
        Exit: with code 1 when that is not possible.
    """
    image, command = made_of(lock.service, held)
    how = "it ran" if record.read(held.ran) else "its image recommends"
    say(f"{held.name} was removed meanwhile; it is made anew, as {how}.")
    again = ticket.write(versions.tag_of(lock.service.frame, image), (), 0, lock.ticket.number)
    labels = {
        label.SERVICE: lock.service.name,
        label.RAN: record.text(lock.service.name, command, image.reference),
        label.TICKET: again.text(),
    }
    creating = creation(lock.service, held.name, (image, command), labels)
    lock.do(creating, f"{held.name}, which ran before, is gone, and cannot be created again.")
    return held.name


def join(lock: Lock, container: Container, held: Held) -> None:
    """Connect a container that was made anew to the networks that its predecessor was in. It runs without one, too.

    It has to run already: one that is connected before to a network that is gone can never be started.
    """
    now = lock.service.engine.container(container.id) if held.joined else None
    has = {one.network for one in now.joined} if now else set()
    for one in held.joined:
        try:
            if one.network not in has:
                connecting = commands.connect(acts.short(container), one.network, one.aliases, one.address)
                lock.do(connecting, f"{held.name} cannot be connected to {one.network} again.")
        except Failed as error:
            say(f"{error.message} It runs without that network.", sys.stderr)


def made_of(service: Service, held: Held) -> "Making":
    """What an old container can be made anew from.

    Raises:
        Exit: with code 1 when its image is gone, or as `checked_command` does.
    """
    found = service.engine.image(held.image) if held.image else None
    if not found:
        raise Exit(f"{held.name}, which ran before, is gone, and so is its image.", code=1)
    image = versions.by_own_name(service.engine, service.frame, found)
    return image, record.read(held.ran) or checked_command(service, image, Wishes(0, False, False, False))


def creation(service: Service, name: str, making: "Making", labels: Mapping[str, str]) -> list[str]:
    """The command that creates a container from what it can be made anew from."""
    image, command = making
    options = [*reach.aliases(service, command), *command.arguments()]
    return commands.create(name, image.reference, options, command.command, labels)


def refuse_unlike(lock: Lock) -> None:
    """Refuse a switch that would stop a container with --rm which cannot come back as it is.

    The engine removes such a container when it is stopped, so it would have to be made anew. That is tried: a container
    is made so, compared, and removed.

    Raises:
        Exit: with code 1, naming what differs.
    """
    service = lock.service
    for held in lock.ticket.old:
        found = service.engine.container(held.id)
        if not found or not found.auto_remove:
            continue
        rest = f"To replace it, type {service.docker('stop', held.name)}, then the same again."
        try:
            making = made_of(service, held)
        except Exit as error:
            raise Exit(
                f"{held.name} was started with --rm, and could not come back. {error.message} {rest}", code=1
            ) from None
        labels = {label.REHEARSAL: service.name, label.TICKET: lock.ticket.text()}
        lock.do(creation(service, service.rehearsal, making, labels), f"{service.rehearsal} cannot be created.")
        differing = service.engine.unlike(found.id, service.rehearsal)
        if made := service.engine.container(service.rehearsal):
            lock.do(commands.remove(acts.short(made), force=True), f"{made.name} cannot be removed.")
        if differing:
            what = f"and not as its image recommends ({', '.join(differing)}): it could not come back as it is."
            raise Exit(f"{held.name} was started with --rm, {what} {rest}", code=1)
        say(f"{held.name} was started with --rm: docker deletes it, with what it wrote, when it is stopped.")


def refuse_started_again(lock: Lock, before: str = "") -> None:
    """Refuse to finish a switch while an old version runs again: it may be what answered the health check.

    Args:
        before: what is said first.

    Raises:
        Exit: with code 1, naming it.
    """
    if lock.service.dry:
        return
    for held in lock.ticket.old:
        found = lock.service.engine.container(held.id)
        if held.running and found and found.running:
            said = f"Somebody has started {found.name} again meanwhile, or a program that watches it has."
            raise Exit(before + said, code=1)
