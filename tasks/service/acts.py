"""What a switch and a recovery do to containers: stop, start, rename and remove them, as far as still needed."""

import time

from invoke import Exit

from ..engine import commands
from ..engine.records import Container, ContainerRow
from . import versions
from .service import Service
from .ticket import Ticket

POLL = 0.2  # seconds between two questions about what another run or the engine is doing
STOP_WITHIN = 10.0  # seconds, docker's own default before it kills
KILLED_WITHIN = 10.0  # seconds between the engine's SIGKILL and the end of a container
REMOVED_WITHIN = 5.0  # seconds, of a container that another run is removing


def take_away(service: Service, container: str) -> None:
    """Remove a container. That another run was faster is no failure."""
    try:
        service.do(commands.remove(container, force=True), f"{container} cannot be removed.")
    except Exit:
        give_up = time.monotonic() + REMOVED_WITHIN
        while service.engine.container(container):
            if time.monotonic() > give_up:
                raise
            time.sleep(POLL)


def revive(service: Service, name: str, failed: str) -> bool:
    """Start a container unless it runs; one that the engine tries to start again and again does not. Whether it did."""
    found = service.engine.container(name)
    if found and found.state == "restarting":
        service.do(commands.stop(name), failed)
    elif found and found.running:
        return False
    service.do(commands.start(name), failed)
    return True


def stop_old(service: Service, theirs: Ticket) -> None:
    """Stop the containers that a switch replaces, as far as they run."""
    for held in theirs.old:
        found = service.engine.container(held.id)
        if found and found.running:
            service.do(commands.stop(found.name), f"{held.name} cannot be stopped.")


def settle_names(service: Service, theirs: Ticket) -> None:
    """Give the old containers their kept names, and the candidate the service's. What is renamed already stays."""
    containers = {container.id[:12]: container for container in service.engine.containers()}
    taken = {container.name for container in containers.values()}
    for held in theirs.old:
        container = containers.get(held.id)
        if not container:
            continue
        if container.name == held.name:
            kept = versions.kept_name(service.name, container, taken)
            taken.add(kept)
            service.do(commands.rename(container.name, kept), f"{container.name} cannot be renamed.")
        stay_down(service, container)
    renaming = commands.rename(service.candidate, service.name)
    service.do(renaming, f"{service.candidate} runs, but cannot be renamed.")


def stay_down(service: Service, container: ContainerRow) -> None:
    """Keep a reboot from starting a container of an earlier version, which would fight for the port."""
    details = service.engine.container(container.id)
    if not (details and details.restarts_by_itself):
        return
    try:
        service.do(commands.no_restart(container.id[:12]), f"A reboot will start {container.name} too.")
    except Exit as error:
        print(f"Warning: {error.message}", flush=True)


def stop_within(container: Container | None) -> float:
    """How many seconds a container may take to stop."""
    return float((container and container.stop_timeout) or STOP_WITHIN) + KILLED_WITHIN


def await_stop(service: Service, container: Container, since: float) -> None:
    """Wait for the end of a `docker stop` whose client is gone: the engine goes on with it all the same.

    Args:
        since: when the switch began, by the engine's clock in seconds since 1970.
    """
    engine = service.engine
    if not engine.told_to_stop(container.id, since):
        return
    give_up = time.monotonic() + stop_within(container)
    while (found := engine.container(container.id)) and found.running and time.monotonic() < give_up:
        time.sleep(POLL)
