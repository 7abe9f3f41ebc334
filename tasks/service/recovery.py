"""Going back from a switch, or finishing it: after a failure, and after a run whose process is gone.

Everything is read from the engine: the candidate, its ticket, and the state and names of the containers that the ticket
lists. A switch renames the old containers only once the candidate is healthy; so:

- none of them is renamed: go back to them;
- one of them is renamed, or there is none (any more) and the candidate runs: finish.
"""

import time
from contextlib import suppress

from invoke import Exit

from ..engine import commands, label
from ..host import progress
from ..host.text import printable
from . import acts, health, locks
from .service import Service
from .situation import unfinished
from .ticket import Held, Ticket


def recover(service: Service) -> None:
    """Go back from, or finish, a switch whose run is gone. A switch that is under way is left alone.

    Raises:
        Exit: with code 1 when that fails.
    """
    said = False
    while found := unfinished(service):
        if not found.gone:
            return
        if not said:
            print(
                printable(f"A switch to {found.ticket.tag} by {found.ticket.by} was cut off: recovering."), flush=True
            )
        said = True
        if service.dry:
            return
        if not locks.lock_recovery(service, found.candidate):
            time.sleep(acts.POLL)
            continue
        try:
            now = service.engine.container(service.candidate)
            if now and now.id == found.candidate.id:
                print(printable(conclude(service, found.ticket)), flush=True)
        finally:
            acts.take_away(service, service.recovery_lock)
    locks.clear_recovery_lock(service)


def conclude(service: Service, theirs: Ticket) -> str:
    """Finish a switch if its candidate was found healthy, else go back. Returns the sentence that says which."""
    engine = service.engine
    there = {held: found.name for held in theirs.old if (found := engine.container(held.id))}
    renamed = any(name != held.name for held, name in there.items())
    candidate = engine.container(service.candidate)
    runs = candidate is not None and candidate.running
    if (renamed or (runs and not there)) and not finish(service, theirs):
        return f"{theirs.tag} runs."
    return go_back(service, theirs)


def finish(service: Service, theirs: Ticket) -> str:
    """Bring a switch to its end: the candidate healthy and under the service's name. Returns what is wrong, or ""."""
    candidate, tag = service.candidate, printable(theirs.tag)
    acts.stop_old(service, theirs)
    acts.revive(service, candidate, f"{candidate} cannot be started.")
    with progress.waiting(tag) as tell:
        found = health.wait(service, candidate, service.settings.start.settle, tell)
    if found.trouble:
        print(f"{tag} {printable(found.trouble)}.", flush=True)
        return found.trouble
    acts.settle_names(service, theirs)
    return ""


def go_back(service: Service, theirs: Ticket) -> str:
    """Remove the candidate and bring the old containers back as they were. Returns the sentence that says so.

    An old container that does not come back is named in the sentence; the lock is let go all the same, so that another
    version can be started.
    """
    engine, name = service.engine, service.candidate
    candidate = engine.container(name)  # None if somebody removed it by hand
    if engine.container(service.rehearsal):
        acts.take_away(service, service.rehearsal)
    if candidate and candidate.running:
        with suppress(Exit):  # removed in this moment, or not to be stopped: the old ones come first in any case
            service.do(commands.stop(name, seconds=1), f"{name} cannot be stopped.")
    since = candidate.created if candidate else theirs.since
    troubles = [bring_back(service, held, since) for held in theirs.old]
    if candidate:
        acts.take_away(service, name)
    if any(troubles):
        return " ".join(trouble for trouble in troubles if trouble)
    running = [found for held in theirs.old if held.running and (found := engine.container(held.id))]
    versions = ", ".join(label.version_of(container.labels, container.image) for container in running)
    return f"{versions} runs as before." if versions else "No version runs, as before."


def bring_back(service: Service, held: Held, since: float) -> str:
    """Give one old container its name and its state back, and wait until it is healthy. Returns what is wrong, or "".

    Args:
        since: when the switch began, by the engine's clock in seconds since 1970.
    """
    container = service.engine.container(held.id)
    if not container:
        return f"{held.name}, which ran before, is gone." if held.running else ""
    name = container.name
    try:
        if name != held.name and not service.engine.container(held.name):
            service.do(commands.rename(name, held.name), f"{name} cannot get its name {held.name} back.")
            name = held.name
        if not held.running:
            return ""
        acts.await_stop(service, container, since)
        if not acts.revive(service, name, f"{name} cannot be started again."):
            return ""
        with progress.waiting(f"{name} comes back") as tell:
            trouble = health.wait(service, held.id, 0, tell).trouble
    except Exit as error:
        return f"{error.message} See: docker logs {name}"
    return f"{name}, which ran before, {trouble}. See: docker logs {name}" if trouble else ""
