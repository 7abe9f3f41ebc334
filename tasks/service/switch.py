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
from ..host import shell
from . import acts, health, locks, reach, recovery, ticket
from .order import Order
from .pruning import prune
from .rehearsal import rehearse
from .report import report
from .service import Service
from .situation import Situation, replaceable, tell_if_current
from .ticket import Ticket

SLACK = 120.0  # seconds for all that a switch does besides waiting


class Switch(Struct, frozen=True):
    """A switch under way: its candidate is created, with this run's ticket, so the service is locked."""

    service: Service
    order: Order
    before: Situation
    ticket: Ticket


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
    report(service, order, switch.before, answered)
    prune(service, switch.before)


def take(service: Service, order: Order, before: Situation) -> Switch | None:
    """Create the candidate, which locks the service.

    Returns:
        The switch; None when the engine changed meanwhile, and the caller should look again.

    Raises:
        Exit: with code 1 when the candidate cannot be created.
    """
    name, start, command = service.candidate, service.settings.start, order.command
    stopping = sum(acts.stop_within(service.engine.container(container.id)) for container in before.old)
    mine = ticket.write(order.tag, before.old, 3 * (start.timeout + start.settle) + stopping + SLACK)
    labels = {label.SERVICE: service.name, label.TICKET: mine.text()}
    options = [*reach.aliases(service, command), *command.arguments()]
    creating = commands.create(name, order.image.reference, options, command.command, labels)
    removing = commands.remove(name, force=True), f"{name} cannot be removed."
    try:
        service.do(creating, f"{order.tag} cannot be created.")
        if service.dry:
            return Switch(service, order, before, mine)
        created = service.engine.container(name)
        same = ticket.held(replaceable(service).old) == mine.old
    except BaseException as error:
        shell.survive()
        if isinstance(error, shell.Failed) and locks.was_faster(service, name, error):
            return None
        if ticket.read(service.engine.container(name)) == mine:
            service.do(*removing)
        raise Exit(f"{shell.reason(error)} Nothing was changed.", code=shell.exit_code(error)) from None
    if created and created.image == order.image.id and same:
        return Switch(service, order, before, mine)
    service.do(*removing)
    if not same:
        return None
    raise Exit(
        f"{order.image.reference} was built anew in this moment. Nothing was changed; type the same again.", code=1
    )


def carry_out(switch: Switch) -> float | None:
    """The steps between the lock and the names.

    Returns:
        When the new version's health check first succeeded, on the monotonic clock; None without one.

    Raises:
        Exit: when one of them failed; then everything is as before, or the message says what is not.
    """
    service, order = switch.service, switch.order
    last_seen = "the candidate was created; the old version runs"
    try:
        if switch.before.running and order.rehearse:
            rehearse(service, order)
        for container in switch.before.running:
            last_seen = f"{container.name} was being stopped"
            service.do(commands.stop(container.name), f"{container.name} cannot be stopped.")
        last_seen = "the old version was stopped, the candidate was being started"
        service.do(commands.start(service.candidate), f"{order.tag} cannot be started.")
        return health.require(service, service.candidate, order.tag)
    except BaseException as error:
        shell.survive()
        undo(switch, error, last_seen, healthy=False)


def commit(switch: Switch) -> None:
    """The last step: the old containers get their kept names, the candidate gets the service's.

    The new version is healthy now, so an interrupt comes too late: the names are finished all the same.
    """
    service, tag = switch.service, switch.order.tag
    try:
        acts.settle_names(service, switch.ticket)
    except KeyboardInterrupt:
        if service.engine.container(service.candidate):
            acts.settle_names(service, switch.ticket)
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
    service, said = switch.service, shell.reason(error)
    try:
        candidate = service.engine.container(service.candidate)
        if candidate and ticket.read(candidate) != switch.ticket:
            raise Exit("Another run has taken over.", code=1)
        print("Going back.", flush=True)  # why is said at the end
        now = recovery.conclude(service, switch.ticket) if healthy else recovery.go_back(service, switch.ticket)
    except Exit as second:
        why = said if isinstance(error, Unreachable) else f"{said} {second.message}"
        raise Exit(f"{why.rstrip('.')}. Last seen: {last_seen}. The next inv start recovers.", code=1) from None
    except KeyboardInterrupt:
        raise Exit(
            f"Stopped while going back. Last seen: {last_seen}. The next inv start recovers.", code=130
        ) from None
    raise Exit(f"{said} {now}", code=shell.exit_code(error))
