"""Who listens on the TCP ports of this host."""

import socket
from collections.abc import Collection

from msgspec import Struct

from .sockets import groups

EVERY_IPV4, EVERY = "0.0.0.0", "::"  # where a socket listens on :: it takes the addresses of IPv4 too, as a rule


class Listener(Struct, frozen=True):
    """A process that listens on a port at an address; `pid` is None where this user may not know it."""

    address: str
    port: int
    pid: int | None

    @property
    def name(self) -> str:
        """The program's name; "" when it has ended."""
        import psutil

        try:
            return "" if self.pid is None else str(psutil.Process(self.pid).name())
        except psutil.Error:
            return ""

    @property
    def groups(self) -> str:
        """Its control groups, as one text; those of a container's process hold the container's id."""
        return "" if self.pid is None else groups(self.pid)


def listeners() -> list[Listener]:
    """Whatever listens on a TCP port of this host."""
    import psutil

    found = {
        Listener(connection.laddr.ip.removeprefix("::ffff:"), connection.laddr.port, connection.pid)
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    return sorted(found, key=lambda one: (one.port, one.address, one.pid or 0))


def meet(one: str, other: str) -> bool:
    """Whether two listeners on one port at these addresses would be in each other's way. "" is every address."""
    if one == other or {one, other} & {"", EVERY}:
        return True
    return EVERY_IPV4 in (one, other) and ":" not in one + other


def covers(have: Collection[str], needed: Collection[str]) -> bool:
    """Whether sockets that listen at `have` are reached at each address of `needed`, which others listened at."""
    for one in needed:
        ways = {one, EVERY, EVERY_IPV4 if ":" not in one or (one == EVERY and EVERY_IPV4 not in needed) else one}
        if ways.isdisjoint(have):
            return False
    return True


def answers(host: str, port: int, timeout: float = 0.5) -> bool:
    """Whether something accepts connections on a TCP port; `timeout` in seconds."""
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except OSError:
        return False
