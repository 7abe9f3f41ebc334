"""How clients reach a service: the ports of the host that it takes, who else holds them, its name in a network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke import Exit

from ..engine.records import ContainerRow
from ..host import port
from ..host.port import Listener
from .service import Service

if TYPE_CHECKING:
    from ..recommended.command import Recommended

# They listen for the ports that containers publish: docker's own way, without its proxy, and without root.
FORWARDERS = ("docker-proxy", "dockerd", "rootlesskit", "slirp4netns")
NOT_MADE_BY_USERS = ("host", "none", "bridge", "default")

Port = tuple[str, int]  # one of the host's, with its address; "" for every one
Ports = tuple[Port, ...]


def taken(service: Service, command: "Recommended") -> Ports:
    """The TCP ports of the host that a version run by this command takes, each with its address ("" for every one)."""
    if command.network == "host":  # what it publishes is void then
        return (("", service.frame.port),) if service.frame.port else ()
    return () if command.network == "none" else command.ports()


def aliases(service: Service, command: "Recommended") -> list[str]:
    """Options that give the candidate the service's name in its network from its start: clients there use the name."""
    network = command.network
    if network in NOT_MADE_BY_USERS or ":" in network or "=" in network:
        return []
    return [f"--network-alias={service.name}"]


def refuse_stranger(service: Service, ports: Ports, ours: Sequence[ContainerRow]) -> None:
    """Refuse while somebody else holds a port that the new version takes.

    Args:
        ours: the containers that the switch will stop.

    Raises:
        Exit: with code 1, naming the container or the process where that is known.
    """
    if ports and stranger(service, ports, ours):
        found = stranger(service, ports, service.running())  # one may have come or gone meanwhile
        if found:
            raise Exit(f"{found}, which is not {service.name}. Nothing was changed; stop it first.", code=1)


def stranger(service: Service, ports: Ports, ours: Sequence[ContainerRow]) -> str:
    """The beginning of a sentence about who holds one of the ports and is none of these containers; "" if nobody."""
    containers, own = service.engine.containers(), {container.id for container in ours}
    for address, number in ports:
        for container in containers:
            published = any(taken == number and port.meet(address, at) for at, taken in container.published)
            if container.id not in own and published:
                return f"Port {number} is published by the container {container.name}"
        # Another host's processes cannot be seen, nor this one's from a container that has the engine's socket.
        for listener in port.listeners(number) if service.engine.shares_files else ():
            if port.meet(address, listener.address):
                name = listens(listener, containers, ours)
                if name:
                    return f"Port {number} is held by {name}"
    return ""


def listens(listener: Listener, containers: Sequence[ContainerRow], ours: Sequence[ContainerRow]) -> str:
    """Who a listener is, if it is none of our containers and does not listen for one; else "".

    A process that this user may not look at is believed to be ours where one of our containers can have that port.
    """
    groups, name = listener.groups, listener.name
    inside = next((container for container in containers if container.id in groups), None)
    if inside:
        return "" if inside.id in {container.id for container in ours} else f"the container {inside.name}"
    published = any(number == listener.port for container in ours for _, number in container.published)
    if listener.pid is None:
        return "" if published or any(container.network == "host" for container in ours) else "another process"
    if not name or (published and name.startswith(FORWARDERS)):  # without a name it ended in this moment
        return ""
    return f"{name} (process {listener.pid})"
