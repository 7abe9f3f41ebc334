"""Who may change a service: the lock of a switch, and that of a recovery. Both are containers, by name.

A name exists once on an engine. The candidate is the lock of a switch, and whoever goes back or finishes lets go of it
last. Two runs that find the same cut-off switch are kept apart by the recovery lock, which does nothing but exist.
"""

import time

from invoke import Exit

from ..engine import commands, label
from ..engine.records import Container
from ..host.saying import say
from ..host.shell import Failed
from . import acts, ticket
from .connections import Hold
from .holding import Lock
from .service import Service
from .situation import foreign, gone, unfinished

RECOVERY_LIMIT = 600.0  # seconds that a recovery may take at most
SEEN_WITHIN = 2.0  # seconds, of a container that another run is creating


def waited_for_other(service: Service, give_up: float) -> bool:
    """Whether another run's switch was in the way and is over now.

    Args:
        give_up: when to stop waiting for it, on the monotonic clock.

    Raises:
        Exit: with code 1, saying who is switching, when it is not over in time.
    """
    waited = False
    while found := unfinished(service):
        if found.gone:
            return True
        if time.monotonic() >= give_up:
            ways = "To wait for it, type --wait SECONDS; if that run is gone for good, --take-over."
            raise Exit(f"{found.ticket.who()}. Nothing was changed. {ways}", code=1)
        if not waited:
            say(f"{found.ticket.who()}; waiting.")
        waited = True
        time.sleep(acts.POLL)
    return waited


def was_faster(service: Service, name: str, error: Failed) -> bool:
    """Whether a container could not be created because another run has just done so. Waits until it can be seen.

    The engine takes a name at once and shows its container only when it is complete.
    """
    if f'"/{name}" is already in use' not in error.stderr:
        return False
    give_up = time.monotonic() + SEEN_WITHIN
    while not service.engine.container(name) and time.monotonic() < give_up:
        time.sleep(acts.POLL / 4)
    return True


def lock_recovery(service: Service, candidate: Container, take_over: bool) -> Lock | None:
    """Take the recovery lock, and with it that of the switch to recover. Returns None while another run holds it.

    Args:
        candidate: that of the switch to recover. The lock is made from its image, or any if that was removed.
        take_over: the person says that whoever holds it is gone.

    Raises:
        Exit: with code 1 when the engine does not let it be taken, or a container that no recovery made holds its name.
    """
    engine, name = service.engine, service.recovery_lock
    if (holder := engine.container(name)) and holder.labels.get(label.RECOVERY) != service.name:
        raise foreign(service, name)
    theirs = ticket.read(candidate)
    if not theirs or not clear_recovery_lock(service, take_over):
        return None
    mine = ticket.write("recovery", (), RECOVERY_LIMIT)
    labels = {label.RECOVERY: service.name, label.TICKET: mine.text()}
    image = next((image for image in (candidate.image, *engine.image_ids()) if engine.image(image)), "")
    creating = commands.create(name, image, ["--network=none"], ["true"], labels)
    try:
        service.do(creating, f"{name} cannot be created.")
    except Failed as error:
        if was_faster(service, name, error):
            return None
        raise
    return Lock(service, theirs, candidate.id, Hold(service, acts.short(candidate)), mine)


def let_go(lock: Lock) -> None:
    """Remove the recovery lock, if it is still this run's."""
    holder = lock.service.engine.container(lock.service.recovery_lock)
    if holder and ticket.read(holder) == lock.recovery:
        acts.take_away(lock.service, holder)


def clear_recovery_lock(service: Service, take_over: bool = False) -> bool:
    """Whether the recovery lock is free. One whose run is gone is removed, by its id: never a newer one."""
    holder = service.engine.container(service.recovery_lock)
    if not holder or holder.labels.get(label.RECOVERY) != service.name:
        return True
    theirs = ticket.read(holder)
    if theirs and not (take_over or gone(service, holder, theirs)):
        return False
    acts.take_away(service, holder)
    return True
