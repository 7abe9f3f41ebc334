"""What a switch and a recovery do to containers: stop, start, rename and remove them, as far as still needed.

Each by its id: a name may mean another container by now.
"""

import time

from invoke import Exit

from ..engine import commands
from ..engine.records import Container, ContainerRow
from ..host.saying import say
from ..host.shell import Failed
from . import versions
from .holding import Lock
from .service import Service

POLL = 0.2  # seconds between two questions about what another run or the engine is doing
STOP_WITHIN = 10.0  # seconds, docker's own default before it kills
KILLED_WITHIN = 10.0  # seconds between the engine's SIGKILL and the end of a container
REMOVED_WITHIN = 5.0  # seconds, of a container that another run is removing, or the engine
ENDED = ("exited", "removing", "dead")


def short(container: ContainerRow) -> str:
    """A container's id as docker shows it."""
    return container.id[:12]


def take_away(service: Service, container: ContainerRow) -> None:
    """Remove a container. That another run was faster is no failure."""
    try:
        service.do(commands.remove(short(container), force=True), f"{container.name} cannot be removed.")
    except Exit:
        give_up = time.monotonic() + REMOVED_WITHIN
        while service.engine.container(container.id):
            if time.monotonic() > give_up:
                raise
            time.sleep(POLL)


def revive(lock: Lock, container: Container, failed: str) -> bool:
    """Start a container unless it runs; one that the engine tries to start again and again does not. Whether it did."""
    if container.state == "restarting":
        lock.do(commands.stop(short(container)), failed)
    elif container.running:
        return False
    lock.do(commands.start(short(container)), failed)
    return True


def left(service: Service, key: str) -> Container | None:
    """A container by its id; None for none. One that the engine removes by itself (--rm) is seen to its end."""
    give_up = time.monotonic() + REMOVED_WITHIN
    while (found := service.engine.container(key)) and found.auto_remove and found.state in ENDED:
        if time.monotonic() > give_up:
            break
        time.sleep(POLL / 4)
    return found


def stop_old(lock: Lock) -> None:
    """Stop the containers that a switch replaces, as far as they run."""
    for held in lock.ticket.old:
        found = lock.service.engine.container(held.id)
        if found and found.running:
            lock.do(commands.stop(held.id), f"{held.name} cannot be stopped.")


def settle_names(lock: Lock) -> None:
    """Give the old containers their kept names, and the candidate the service's. What is renamed already stays."""
    service, candidate = lock.service, lock.service.candidate
    taken = {container.name for container in service.engine.containers()}
    for held in lock.ticket.old:
        container = left(service, held.id)
        if not container:
            continue
        if container.name == held.name:
            kept = versions.kept_name(service.name, container, taken)
            taken.add(kept)
            lock.do(commands.rename(held.id, kept), f"{container.name} cannot be renamed.")
        stay_down(lock, container)
    lock.do(commands.rename(lock.target, service.name), f"{candidate} runs, but cannot be renamed.")


def stay_down(lock: Lock | Service, container: ContainerRow) -> None:
    """Keep a reboot from starting a container that was stopped. Only then: an update may take a running one's GPU."""
    service = lock if isinstance(lock, Service) else lock.service
    details = service.engine.container(container.id)
    if not details or not details.restarts_by_itself or (details.running and not service.dry):
        return
    try:
        lock.do(commands.restart_policy(short(container), "no"), f"A reboot will start {container.name} too.")
    except Failed as error:
        say(f"Warning: {error.message}")


def stop_within(container: Container | None) -> float:
    """How many seconds a container may take to stop."""
    return float((container and container.stop_timeout) or STOP_WITHIN) + KILLED_WITHIN


def await_stop(lock: Lock, container: Container, since: float, rehearsed: bool) -> None:
    """See a `docker stop` whose client is gone to its end: the engine goes on with it all the same.

    The engine remembers its last 256 events, and none of before it was started. Where they do not reach back to the
    candidate's making, a stop may have been under way, and nobody can know; so the container is stopped.

    Args:
        since: when the switch began, by the engine's clock in seconds since 1970.
        rehearsed: whether the switch was no further than its rehearsal, so that nothing was told to stop.
    """
    engine = lock.service.engine
    told = engine.told_to_stop(container.id, lock.id, since)
    if told is None and not rehearsed:
        lock.do(commands.stop(short(container)), f"{container.name} cannot be stopped.")
    if not told:
        return
    give_up = time.monotonic() + stop_within(container)
    while (found := engine.container(container.id)) and found.running and time.monotonic() < give_up:
        time.sleep(POLL)
