"""The rehearsal: the new version tried beside the old one, away from its port."""

from invoke import Exit

from ..engine import commands, label
from ..engine.client import Unreachable
from . import acts, health, ticket
from .holding import Lock, Lost
from .order import Order
from .service import Service
from .situation import foreign
from .ticket import Ticket

ONLY_SERVING = ("restart", "network", "publish", "network-alias", "ip", "ip6", "mac-address")


def take_away(service: Service, mine: Ticket) -> None:
    """Remove the rehearsal of the switch with this ticket, if it is there."""
    found = service.engine.container(service.rehearsal)
    if found and ticket.read(found) == mine:
        acts.take_away(service, found)


def rehearse(lock: Lock, order: Order) -> None:
    """Start the same command in a network of its own, until its health check says healthy; then remove it.

    Raises:
        Exit: with code 1 and the reason, when it does not become healthy.
    """
    service, name = lock.service, lock.service.rehearsal
    command = order.command.without(*ONLY_SERVING)
    labels = {label.REHEARSAL: service.name, label.TICKET: lock.ticket.text()}
    options = ["--network=none", *command.arguments()]
    if leftover := service.engine.container(name):
        if leftover.labels.get(label.REHEARSAL) != service.name:
            raise foreign(name)
        lock.do(commands.remove(leftover.id[:12], force=True), f"{name} cannot be removed.")
    try:
        creating = commands.create(name, order.image.reference, options, command.command, labels)
        lock.do(creating, "The rehearsal cannot be created.")
        made = service.engine.container(name)
        target = made.id[:12] if made else name
        lock.do(commands.start(target), "The rehearsal cannot be started.")
        health.require(service, name, order.tag)
    except (Unreachable, Lost):
        raise
    except Exit as error:
        advice = "If this service cannot run twice at a time, type --no-rehearsal."
        raise Exit(f"In the rehearsal: {error.message} {advice}", code=1) from None
    lock.do(commands.remove(target, force=True), f"{name} cannot be removed.")
