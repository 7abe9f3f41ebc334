"""The rehearsal: the new version tried beside the old one, away from its port."""

from invoke import Exit

from ..engine import commands, label
from ..engine.client import Unreachable
from . import health
from .order import Order
from .service import Service

ONLY_SERVING = ("restart", "network", "publish", "network-alias", "ip", "ip6", "mac-address")


def rehearse(service: Service, order: Order) -> None:
    """Start the same command in a network of its own, until its health check says healthy; then remove it.

    Raises:
        Exit: with code 1 and the reason, when it does not become healthy.
    """
    name = service.rehearsal
    command = order.command.without(*ONLY_SERVING)
    labels = {label.REHEARSAL: service.name}
    options = ["--network=none", *command.arguments()]
    if leftover := service.engine.container(name):
        service.do(commands.remove(leftover.id, force=True), f"{name} cannot be removed.")
    try:
        creating = commands.create(name, order.image.reference, options, command.command, labels)
        service.do(creating, "The rehearsal cannot be created.")
        service.do(commands.start(name), "The rehearsal cannot be started.")
        health.require(service, name, order.tag)
    except Unreachable:
        raise
    except Exit as error:
        advice = "If this service cannot run twice at a time, type --no-rehearsal."
        raise Exit(f"In the rehearsal: {error.message} {advice}", code=1) from None
    service.do(commands.remove(name, force=True), f"{name} cannot be removed.")
