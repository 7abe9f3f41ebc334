"""The sockets of a process's network, which may be a container's: who listens, and who is connected.

Source: proc(5), /proc/net/tcp.
"""

import socket
import struct
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

ESTABLISHED, SYN_RECEIVED, CLIENT_IS_DONE, LISTENS = "01", "03", "08", "0A"  # states, of include/net/tcp_states.h
CONNECTED = (ESTABLISHED, SYN_RECEIVED, CLIENT_IS_DONE)


def process_in(group: str, pid: int = 0) -> int | None:
    """A process in the control group of a container, by the container's id; None where none can be seen from here.

    Args:
        pid: the one that the engine names. Where the engine has process ids of its own, it means another process here.
    """
    if pid and group in groups(pid):
        return pid
    numbers = sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return next((number for number in numbers if group in groups(number)), None)


def groups(pid: int) -> str:
    """The control groups of a process, as one text; "" when it has ended."""
    try:
        return Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""


def listening(pid: int) -> set[tuple[str, int]]:
    """The addresses and ports that are listened to in a process's network.

    The kernel lists who listens before all others (tcp_seq_start in net/ipv4/tcp_ipv4.c), so no more is read: a busy
    server has thousands of connections.
    """
    found: set[tuple[str, int]] = set()
    for rows in tables(pid):
        for address, port, state in rows:
            if state != LISTENS:
                break
            found.add((address_of(address), int(port, 16)))
    return found


def connections(pid: int, ports: Collection[int]) -> int:
    """How many connections to these ports are open, or are being opened, in a process's network."""
    wanted = {f"{port:04X}" for port in ports}
    return sum(port in wanted and state in CONNECTED for rows in tables(pid) for _, port, state in rows)


def tables(pid: int) -> Iterator[Iterator[tuple[str, str, str]]]:
    """For IPv4 and for IPv6, each socket's own address and port and its state, all as the kernel writes them."""
    for name in ("tcp", "tcp6"):
        with suppress(OSError), open(f"/proc/{pid}/net/{name}") as lines:  # it ended; or its kernel has no IPv6
            next(lines)  # the heading
            yield map(socket_of, lines)


def socket_of(line: str) -> tuple[str, str, str]:
    """The address, the port and the state of a socket in a line of such a table."""
    _, own, _, state, _ = line.split(maxsplit=4)
    address, _, port = own.partition(":")
    return address, port, state


def address_of(written: str) -> str:
    """An address as the kernel writes it: words of 32 bits, each in this machine's order of bytes."""
    words = [int(written[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(written), 8)]
    found = ip_address(b"".join(words))
    return str(getattr(found, "ipv4_mapped", None) or found)


def listener_of(path: str) -> int:
    """The process that listens on a Unix socket; 0 where it has no id here.

    Raises:
        OSError: when nobody listens.
    """
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(path)
        credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def shares_network(pid: int) -> bool | None:
    """Whether a process is in the network of this one; None where that cannot be known."""
    try:
        return Path(f"/proc/{pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink()
    except OSError:  # it has ended, or this user may not know
        return None
