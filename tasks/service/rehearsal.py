"""The rehearsal: the new version tried beside the old one, away from its port."""

import re
from collections.abc import Sequence

from invoke import Exit

from ..engine import commands, label
from ..engine.client import Unreachable
from ..host.shell import Failed
from . import acts, health, ticket
from .holding import Lock, Lost
from .order import Order
from .service import Service
from .situation import foreign
from .ticket import Ticket

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


def take_away(service: Service, mine: Ticket) -> None:
    """Remove the rehearsal of the switch with this ticket, if it is there."""
    found = service.engine.container(service.rehearsal)
    if found and ticket.read(found) == mine:
        acts.take_away(service, found)


def rehearse(lock: Lock, order: Order) -> None:
    """Start the same command in a network of its own, until its health check says healthy; then remove it.

    That is no network at all, or the one that the setting `start.rehearsal_network` names.

    Raises:
        Exit: with code 1 and the reason, when it does not become healthy.
    """
    service, name, network = lock.service, lock.service.rehearsal, lock.service.settings.start.rehearsal_network
    if leftover := service.engine.container(name):
        if leftover.labels.get(label.REHEARSAL) != service.name:
            raise foreign(service, name)
        lock.do(commands.remove(leftover.id[:12], force=True), f"{name} cannot be removed.")
    try:
        made = begin(lock, order)
        health.require(service, name, order.tag)
    except (Unreachable, Lost):
        raise
    except Exit as error:
        where = "without a network" if network == "none" else f"in the network {network}"
        said = f"In the rehearsal ({where}): {error.message} {advice(error, network)}"
        raise Exit(said.rstrip(), code=1) from None
    lock.do(commands.remove(made, force=True), f"{name} cannot be removed.")


def begin(lock: Lock, order: Order) -> str:
    """Create and start the rehearsal's container. Returns its id, or its name under `--dry`.

    Raises:
        Failed: when docker refuses it.
    """
    service, name, network = lock.service, lock.service.rehearsal, lock.service.settings.start.rehearsal_network
    command = order.command.without(*ONLY_SERVING)
    labels = {label.REHEARSAL: service.name, label.TICKET: lock.ticket.text()}
    failed = "The rehearsal cannot be started."

    def create(*options: str) -> str:
        options = (f"--network={network}", *options, *command.arguments())
        creating = commands.create(name, order.image.reference, options, command.command, labels)
        lock.do(creating, "The rehearsal cannot be created.")
        made = service.engine.container(name)
        return made.id[:12] if made else name

    made = create(*(LOOPBACK_IPV6 if network == "none" else ()))
    try:
        lock.do(commands.start(made), failed)
    except Failed as error:
        if network != "none" or "ipv6" not in error.stderr:
            raise
        lock.do(commands.remove(made, force=True), f"{name} cannot be removed.")  # its kernel has no IPv6
        made = create()
        lock.do(commands.start(made), failed)
    return made


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
