"""Going back from a switch, or finishing it: after a failure, and after a run whose process is gone.

Everything is read from the engine: the candidate, its ticket, and the state and names of the containers that the ticket
lists. A switch renames the old containers only once the candidate is healthy; so:

- none of them is renamed: go back to them;
- one of them is renamed, or there is none (any more) and the candidate runs: finish.
"""

import time
from contextlib import suppress

from invoke import Context, Exit
from msgspec.structs import replace

from ..engine import commands, label
from ..engine.client import Unreachable
from ..host import progress
from ..host.saying import say
from ..host.shell import Failed
from ..host.text import printable
from . import acts, comeback, health, locks
from .comeback import Comeback, again, bring_back
from .holding import Lock, Lost
from .service import Service
from .situation import unfinished


def recovered(c: Context, name: str, take_over: bool) -> Service:
    """The service of a frame, once a switch whose run is gone was brought to its end.

    Raises:
        Exit: with code 1 when that fails, 2 for a wrong name; see `Service.of`.
    """
    service = Service.of(c, name)
    recover(service, take_over)
    return service


def recover(service: Service, take_over: bool = False) -> None:
    """Go back from, or finish, a switch whose run is gone. A switch that is under way is left alone.

    Args:
        take_over: the person says that such a run is gone too.

    Raises:
        Exit: with code 1 when that fails.
    """
    said = False
    while found := unfinished(service):
        if not (found.gone or take_over):
            return
        if not said:
            cut_off = f"A switch to {found.ticket.tag} by {found.ticket.by} was cut off"
            what = cut_off if found.gone else f"{found.ticket.who()}, and is ended"
            say(printable(f"{what}: recovering."))
        said = True
        if service.dry:
            return
        lock = locks.lock_recovery(service, found.candidate, take_over)
        if not lock:
            time.sleep(acts.POLL)
            continue
        try:
            said_last = concluded(lock)
            lock.hold.clear()  # not before: what the run that was killed holds still would be refused
            if said_last:
                say(printable(said_last))
        except Lost as lost:
            if lost.taken or not service.engine.container(lock.id):
                raise
            # Somebody removed the recovery lock only: it is taken once more.
        finally:
            lock.hold.end()
            locks.let_go(lock)
    locks.clear_recovery_lock(service)


def concluded(lock: Lock) -> str:
    """Conclude the switch of another run, unless a third one was faster. Returns the sentence that says how, or ""."""
    service = lock.service
    if found := service.engine.container(lock.id):
        return end(lock, healthy=True) if found.name == service.candidate else ""
    # Gone before the lock was taken: where somebody removed it by hand, nothing runs.
    return "" if service.running() or service.engine.container(service.candidate) else end(lock, healthy=False)


def end(lock: Lock, healthy: bool) -> str:
    """Go back, or finish if the candidate was found healthy and still can be. Returns the sentence that says which.

    Whoever removes the candidate meanwhile, with a `docker container prune` say, does not end it: the old containers
    come back without it.

    Raises:
        Lost: when somebody else has the lock, or has switched.
    """
    with progress.step("finish, or go back" if healthy else "go back", lock.service.dry):
        try:
            return conclude(lock) if healthy else go_back(lock)
        except Lost as lost:
            if lost.taken or lock.open:
                raise
        return go_back(lock.to_go_back())


def conclude(lock: Lock) -> str:
    """Finish a switch if its candidate was found healthy, else go back. Returns the sentence that says which."""
    engine, theirs = lock.service.engine, lock.ticket
    there = {held: found.name for held in theirs.old if (found := acts.left(lock.service, held.id))}
    renamed = any(name != held.name for held, name in there.items())
    candidate = engine.container(lock.id)
    runs = candidate is not None and candidate.running
    if candidate and (renamed or (runs and not there)) and not finish(lock):
        return f"{theirs.tag} runs."
    return go_back(lock)


def finish(lock: Lock) -> str:
    """Bring a switch to its end: the candidate healthy and under the service's name. Returns what is wrong, or ""."""
    service, name, tag = lock.service, lock.service.candidate, printable(lock.ticket.tag)
    acts.stop_old(lock)
    try:
        if candidate := service.engine.container(lock.id):
            if candidate.running:
                lock.hold.clear()
            else:
                lock.hold.begin(comeback.ports(lock))
            acts.revive(lock, candidate, f"{name} cannot be started.")
    except (Lost, Unreachable):
        raise
    except Exit as error:
        return error.message or f"{name} cannot be started."
    with progress.waiting(tag) as tell:
        found = health.wait(service, lock.id, service.settings.start.settle, tell, lock.hold)
    lock.hold.end()
    if found.trouble:
        say(f"{tag} {printable(found.trouble)}.")
        return found.trouble
    try:
        acts.settle_names(lock)
    except Failed as error:
        if not lock.recovery:
            raise  # the next run tries it again
        return error.message or f"{name} cannot be renamed."
    return ""


def go_back(lock: Lock) -> str:
    """Remove the candidate and bring the old containers back as they were. Returns the sentence that says so.

    An old container that does not come back while the candidate is there is tried once more without it: a full disk may
    have room then. If that fails too, it is named in the sentence; the lock is let go all the same, so that another
    version can be started.
    """
    service, engine = lock.service, lock.service.engine
    rehearsal, candidate = engine.container(service.rehearsal), engine.container(lock.id) if lock.open else lock.check()
    rehearsed = rehearsal is not None or (candidate is not None and candidate.running)
    if rehearsal and rehearsal.labels.get(label.REHEARSAL) == service.name:
        acts.take_away(service, rehearsal)
    hold_for_old(lock)
    if candidate and candidate.running:
        with suppress(Exit):  # removed in this moment, or not to be stopped: the old ones come first in any case
            lock.do(commands.stop(lock.target, seconds=1), f"{candidate.name} cannot be stopped.")
    back = Comeback(lock, candidate.created if candidate else lock.ticket.since, rehearsed)
    troubles = {held: bring_back(back, held) for held in lock.ticket.old}
    if not any(troubles.values()):
        lock.hold.end()  # before the candidate goes: as long as it is there, a killed run's table is found by the next
    if candidate:
        acts.take_away(service, candidate)
        back = replace(back, lock=replace(lock, open=True))
        troubles = {held: said and again(back, held, said) for held, said in troubles.items()}
    lock.hold.end()
    if any(troubles.values()):
        return " ".join(trouble for trouble in troubles.values() if trouble)
    were = {held.id: held.name for held in lock.ticket.old if held.running}
    containers = [one for one in engine.containers() if one.running]
    anew = {one.id for one in service.own(containers) if one.name in were.values()}
    running = [one for one in containers if one.id[:12] in were or one.id in anew]
    versions = ", ".join(label.version_of(container.labels, container.image) for container in running)
    return f"{versions} runs as before." if versions else "No version runs, as before."


def hold_for_old(lock: Lock) -> None:
    """Hold new connections until an old version listens again; where all run, let them in."""
    olds = [lock.service.engine.container(held.id) for held in lock.ticket.old if held.running]
    if all(found and found.running for found in olds):
        lock.hold.clear()
    else:
        lock.hold.begin(lock.hold.ports or comeback.ports(lock))
