"""The rehearsal: the new version tried beside the old one, away from its port."""

import re
from collections.abc import Sequence

from invoke import Exit

from ..engine import commands, label
from ..engine.client import Unreachable
from ..host.shell import Failed
from . import health
from .order import Order
from .service import Service

ONLY_SERVING = ("restart", "network", "publish", "publish-all", "network-alias", "ip", "ip6", "mac-address", "link")
# Where a container has no network, docker turns the IPv6 of its loopback off too: `localhost` may be ::1.
LOOPBACK_IPV6 = ("--sysctl=net.ipv6.conf.all.disable_ipv6=0", "--sysctl=net.ipv6.conf.lo.disable_ipv6=0")

# What programs say, in small letters, when they miss the network, or what the version that runs has.
NO_NETWORK = re.compile(
    "could not resolve|couldn't resolve|could not translate host|name or service not known|name resolution|bad address"
    "|no such host|unknown host|network is unreachable|no route to host|connection refused"
)
NOT_TWICE = re.compile(
    "address already in use|out of memory|cannot allocate memory|memoryallocation|alloc_failed"
    "|already running|is locked|lock file|lockfile|acquire (the |a )?lock"
)


def rehearse(service: Service, order: Order) -> None:
    """Start the same command in a network of its own, until its health check says healthy; then remove it.

    That is no network at all, or the one that the setting `start.rehearsal_network` names.

    Raises:
        Exit: with code 1 and the reason, when it does not become healthy.
    """
    name, network = service.rehearsal, service.settings.start.rehearsal_network
    if leftover := service.engine.container(name):
        service.do(commands.remove(leftover.id, force=True), f"{name} cannot be removed.")
    try:
        begin(service, order)
        health.require(service, name, order.tag)
    except Unreachable:
        raise
    except Exit as error:
        where = "without a network" if network == "none" else f"in the network {network}"
        said = f"In the rehearsal ({where}): {error.message} {advice(error, network)}"
        raise Exit(said.rstrip(), code=1) from None
    service.do(commands.remove(name, force=True), f"{name} cannot be removed.")


def begin(service: Service, order: Order) -> None:
    """Create and start the rehearsal's container.

    Raises:
        Failed: when docker refuses it.
    """
    name, network = service.rehearsal, service.settings.start.rehearsal_network
    command = order.command.without(*ONLY_SERVING)
    labels = {label.REHEARSAL: service.name}
    failed = "The rehearsal cannot be started."

    def create(*options: str) -> None:
        options = (f"--network={network}", *options, *command.arguments())
        creating = commands.create(name, order.image.reference, options, command.command, labels)
        service.do(creating, "The rehearsal cannot be created.")

    create(*(LOOPBACK_IPV6 if network == "none" else ()))
    try:
        service.do(commands.start(name), failed)
    except Failed as error:
        if network != "none" or "ipv6" not in error.stderr:
            raise
        service.do(commands.remove(name, force=True), f"{name} cannot be removed.")  # its kernel has no IPv6
        create()
        service.do(commands.start(name), failed)


def advice(error: Exit, network: str) -> str:
    """What to type next after a rehearsal that failed, where its last words say that the rehearsal was the reason."""
    said = last_words(error)
    if isinstance(error, Failed):
        missing = network != "none" and "network" in said and "not found" in said
        return "See the setting start.rehearsal_network." if missing else ""
    if NO_NETWORK.search(said):
        if network == "none":
            return "If it needs a network to start, name one in the setting start.rehearsal_network."
        return "If it needs another network to start, see the setting start.rehearsal_network, or type --no-rehearsal."
    return "If this service cannot run twice at a time, type --no-rehearsal." if NOT_TWICE.search(said) else ""


def last_words(error: Exit) -> str:
    """What docker or the version said last, in small letters."""
    lines: Sequence[str] = error.log if isinstance(error, health.Unhealthy) else ()
    return "\n".join([*lines, error.stderr if isinstance(error, Failed) else ""]).lower()
