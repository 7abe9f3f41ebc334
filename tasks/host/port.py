"""Who listens on the TCP ports of this host."""

import os
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from .sockets import LISTENS, groups

EVERY_IPV4, EVERY = "0.0.0.0", "::"  # where a socket listens on :: it takes the addresses of IPv4 too, as a rule

TABLES = ((socket.AF_INET, Path("/proc/net/tcp")), (socket.AF_INET6, Path("/proc/net/tcp6")))  # Linux's, of sockets


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


def listeners(number: int) -> list[Listener]:
    """Whatever listens on this TCP port of the host."""
    if TABLES[0][1].exists():
        sockets = listening_sockets(number)
        pids = holders(sockets)
        found = {Listener(address, number, pids.get(inode)) for inode, address in sockets.items()}
    else:
        import psutil

        found = {
            Listener(plain(connection.laddr.ip), number, connection.pid)
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == number
        }
    return sorted(found, key=lambda one: (one.address, one.pid or 0))


def listening_sockets(number: int) -> dict[str, str]:
    """The address of each socket that listens on a port, by the socket's inode.

    psutil takes Linux's table apart line by line, with the connections that are over, of which a busy server has tens
    of thousands. Who listens comes first there, see sockets.py.
    """
    found = {}
    for family, table in TABLES:
        with suppress(OSError), table.open() as lines:  # the kernel may have no IPv6
            next(lines)  # the heading
            for words in map(str.split, lines):
                if words[3] != LISTENS:
                    break
                address, _, port = words[1].partition(":")
                if int(port, 16) == number:
                    parts = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
                    packed = struct.pack(f"={len(parts)}I", *parts)  # words of 32 bits, as this machine has them
                    found[words[9]] = plain(socket.inet_ntop(family, packed))
    return found


def holders(inodes: Iterable[str]) -> dict[str, int]:
    """The process that has each of these sockets, the first one of several; without those that one may not look at."""
    import psutil

    wanted, found = {f"socket:[{inode}]": inode for inode in inodes}, dict[str, int]()
    for pid in psutil.pids() if wanted else ():
        with suppress(OSError):  # it has ended, or is another user's
            for file in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    if inode := wanted.get(os.readlink(file.path)):  # noqa: PTH115 - one Path for each costs more
                        found.setdefault(inode, pid)
    return found


def plain(address: str) -> str:
    """An address of IPv4 without its clothes of IPv6."""
    return address.removeprefix("::ffff:")


def meet(one: str, other: str) -> bool:
    """Whether two listeners on one port at these addresses would be in each other's way. "" is every address."""
    if one == other or {one, other} & {"", EVERY}:
        return True
    return EVERY_IPV4 in (one, other) and ":" not in one + other


def answers(host: str, port: int, timeout: float = 0.5) -> bool:
    """Whether something accepts connections on a TCP port; `timeout` in seconds."""
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except OSError:
        return False
