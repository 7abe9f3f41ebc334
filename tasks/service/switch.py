"""The switch: replace the version that runs by another, or leave everything as it was.

Until the new version is healthy, the old one can come back exactly as it was. The steps: create the candidate (which is
the lock too), rehearse it, stop the old version, start the candidate and wait for its health, and last the names.
"""

import time
from typing import NoReturn

from invoke import Exit
from msgspec import Struct

from ..engine import commands, label
from ..engine.client import Unreachable
from ..host import progress, shell
from ..host.saying import say
from . import acts, comeback, health, locks, reach, record, recovery, rehearsal, ticket
from .connections import Hold
from .holding import Lock, Lost
from .order import Order
from .pruning import prune
from .report import down, report
from .service import Service
from .situation import Situation, replaceable, tell_if_current
from .ticket import Ticket

SLACK = 120.0  # seconds for all that a switch does besides waiting


class Switch(Struct, frozen=True):
    """A switch under way: its candidate is created, with this run's ticket, so the service is locked.

    `since` is when that was, by the engine's clock in seconds since 1970; 0 under `--dry`.
    """

    service: Service
    order: Order
    before: Situation
    lock: Lock
    since: float = 0.0


def perform(service: Service, order: Order) -> None:
    """Switch to the ordered version, or say that it already runs.

    Raises:
        Exit: with code 1 when another run is switching, or the new version fails (the old one runs again then);
            with code 130 when the person says stop.
    """
    give_up = time.monotonic() + order.wait
    switch = None
    while not switch:
        recovery.recover(service)
        if not service.dry and locks.waited_for_other(service, give_up):
            continue  # its run may have been killed
        before = replaceable(service)
        if not order.force and tell_if_current(service, before, order.image):
            return
        reach.refuse_stranger(service, order.ports, before.running)
        switch = take(service, order, before)
    answered = carry_out(switch)
    commit(switch)
    outcome = report(service, order, switch.before, answered, switch.lock.hold)
    try:
        prune(service, switch.before)
    finally:
        if outcome:
            say(outcome)  # the last line: what is to be known


def take(service: Service, order: Order, before: Situation) -> Switch | None:
    """Create the candidate, which locks the service.

    Returns:
        The switch; None when the engine changed meanwhile, and the caller should look again.

    Raises:
        Exit: with code 1 when the candidate cannot be created.
    """
    name, command = service.candidate, order.command
    mine = own_ticket(service, order, before)
    labels = {
        label.SERVICE: service.name,
        label.RAN: record.text(service.name, command, order.image.reference),
        label.TICKET: mine.text(),
    }
    options = [*reach.aliases(service, command), *command.arguments()]
    creating = commands.create(name, order.image.reference, options, command.command, labels)
    try:
        with progress.step(f"create {order.tag} as {name}", service.dry):
            service.do(creating, f"{order.tag} cannot be created.")
        if service.dry:
            return Switch(service, order, before, Lock(service, mine, "", Hold(service, name)))
        created = service.engine.container(name)
        same = same_containers(replaceable(service), before)
    except BaseException as error:
        shell.survive()
        if isinstance(error, shell.Failed) and locks.was_faster(service, name, error):
            return None
        remove_candidate(service, mine)
        raise Exit(f"{shell.reason(error)} Nothing was changed.", code=shell.exit_code(error)) from None
    if created and ticket.read(created) == mine and created.image == order.image.id and same:
        lock = Lock(service, mine, created.id, Hold(service, acts.short(created)))
        return Switch(service, order, before, lock, created.created)
    remove_candidate(service, mine)
    if not same or not created or ticket.read(created) != mine:
        return None
    raise Exit(
        f"{order.image.reference} was built anew in this moment. Nothing was changed; type the same again.", code=1
    )


def own_ticket(service: Service, order: Order, before: Situation) -> Ticket:
    """The ticket of a switch, with all that is needed to bring back what it replaces."""
    engine, start = service.engine, service.settings.start
    details = [found for container in before.old if (found := engine.container(container.id))]
    old = tuple(
        ticket.Held(
            id=found.id[:12],
            name=found.name,
            running=found.running,
            image=found.image,
            ran=record.of(found, engine.image(found.image)),
            restart=found.restart_option,
            joined=found.joined,
        )
        for found in details
    )
    stopping = sum(map(acts.stop_within, details))
    limit = 3 * (start.timeout + start.settle) + stopping + SLACK
    return ticket.write(order.tag, old, limit, service.last_number() + 1)


def same_containers(now: Situation, before: Situation) -> bool:
    """Whether the same containers have to make room, in the same states, under the same names."""
    return [(one.id, one.name, one.running) for one in now.old] == [
        (one.id, one.name, one.running) for one in before.old
    ]


def remove_candidate(service: Service, mine: Ticket) -> None:
    """Remove the candidate, if it is the one with this ticket."""
    found = service.engine.container(service.candidate)
    if found and ticket.read(found) == mine:
        service.do(commands.remove(acts.short(found), force=True), f"{found.name} cannot be removed.")


def carry_out(switch: Switch) -> float | None:
    """The steps between the lock and the names.

    Returns:
        When the new version's health check first succeeded, on the monotonic clock; None without one.

    Raises:
        Exit: when one of them failed; then everything is as before, or the message says what is not.
    """
    service, order, lock = switch.service, switch.order, switch.lock
    last_seen = "the candidate was created; the old version runs"
    try:
        if not service.dry:
            comeback.refuse_unlike(lock)
        if switch.before.running and order.rehearse:
            with progress.step(f"rehearse {order.tag} beside the old version", service.dry):
                rehearsal.rehearse(lock, order)
        lock.hold.begin_for(switch.before.running, order.ports)
        lock.hold.drain(switch.before.running)
        for container in switch.before.running:
            last_seen = f"{container.name} was being stopped"
            old = label.version_of(container.labels, container.image)
            with progress.step(f"stop {old}", service.dry):
                lock.do(commands.stop(acts.short(container)), f"{container.name} cannot be stopped.")
        last_seen = "the old version was stopped, the candidate was being started"
        with progress.step(f"start {order.tag}, and wait for its health", service.dry):
            lock.do(commands.start(lock.target), f"{order.tag} cannot be started.")
            try:
                answered = health.require(service, service.candidate, order.tag, lock.hold)
            except health.Unhealthy as error:  # the old version has its port, say
                comeback.refuse_started_again(lock, f"{error.message} ")
                raise
            lock.hold.end()
        comeback.refuse_started_again(lock)
        return answered
    except BaseException as error:
        shell.survive()
        undo(switch, error, last_seen, healthy=False)


def commit(switch: Switch) -> None:
    """The last step: the old containers get their kept names, the candidate gets the service's.

    The new version is healthy now, so an interrupt comes too late: the names are finished all the same.
    """
    service, lock, tag = switch.service, switch.lock, switch.order.tag
    try:
        with progress.step("give the containers their names", service.dry):
            acts.settle_names(lock)
    except KeyboardInterrupt:
        found = service.engine.container(service.candidate)
        if found and found.id == lock.id:
            acts.settle_names(lock)
        raise Exit(f"Stopped too late: {tag} is healthy and runs as {service.name}.", code=130) from None
    except Exit as error:
        undo(switch, error, f"{tag} is healthy, the names were being changed", healthy=True)


def undo(switch: Switch, error: BaseException, last_seen: str, healthy: bool) -> NoReturn:
    """Go back to what was before, and end.

    Args:
        last_seen: the state that the engine was last seen in.
        healthy: whether the candidate was found healthy: then the switch is rather finished, if that is possible.

    Raises:
        Exit: always; with code 130 if the person said stop, else 1.
    """
    lock, said = switch.lock, shell.reason(error)
    try:
        now = went_back(lock, healthy) + down(switch.service, switch.before, switch.since)
    except Lost as lost:
        rehearsal.take_away(switch.service, lock.ticket)
        raise Exit(f"{lost.message} Nothing more was touched.", code=1) from None
    except Exit as second:
        why = said if isinstance(error, Unreachable) else f"{said} {second.message}"
        raise Exit(f"{why.rstrip('.')}. Last seen: {last_seen}. The next inv start recovers.", code=1) from None
    except KeyboardInterrupt:
        raise Exit(
            f"Stopped while going back. Last seen: {last_seen}. The next inv start recovers.", code=130
        ) from None
    raise Exit(f"{said} {now}", code=shell.exit_code(error))


def went_back(lock: Lock, healthy: bool) -> str:
    """Go back, or finish, as `recovery.end` does, and let all connections in. Returns the sentence that says which."""
    try:
        lock = lock.to_go_back()
        print("Going back.", flush=True)  # why is said at the end
        return recovery.end(lock, healthy)
    finally:
        lock.hold.end()
