"""The ticket of a switch: who started it, when, and what it replaces. Kept as a label on the candidate container.

The candidate's name exists once on an engine, so the candidate is the lock, and its ticket is all that another run
needs to go on with, or undo, a switch whose own process is gone.
"""

import getpass
import os
import socket
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import msgspec

from ..engine import label
from ..engine.records import ContainerRow
from ..host.text import printable

Moment = Annotated[float, msgspec.Meta(ge=0, le=1e11)]  # a label can hold any number; this ends in the year 5138


class Held(msgspec.Struct, frozen=True):
    """A container that a switch replaces, as it was before: the first 12 characters of its id, its name, its state."""

    id: str
    name: str
    running: bool


class Ticket(msgspec.Struct, frozen=True):
    """One run that changes a service.

    `by` is user@host. `space` (boot and process namespace), `pid` and `born` (clock ticks since boot) name the process;
    `since` is in seconds since 1970; `limit` are the seconds after which such a run is over in any case.
    """

    by: str
    tag: str
    since: Moment
    limit: float
    space: str
    pid: int
    born: str
    old: tuple[Held, ...]

    def text(self) -> str:
        """As a label's value."""
        return msgspec.json.encode(self).decode()

    def who(self) -> str:
        """For people: who is switching to what since when."""
        since = datetime.fromtimestamp(self.since, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"{printable(self.by)} is switching to {printable(self.tag)} since {since} (process {self.pid})"

    def gone(self, age: float) -> bool:
        """Whether the run is over: its process is gone on this host, or on another it is older than any run can be.

        Args:
            age: seconds since the ticket's container was created, by the engine's clock.
        """
        if self.space == process_space() and not hidden(self.pid):
            return birth(self.pid) != self.born
        return age > self.limit


def write(tag: str, old: Sequence[ContainerRow], limit: float) -> Ticket:
    """A ticket for this process. `old`: the containers that hold the service's name or run a version of the frame."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        user = str(os.getuid())
    return Ticket(
        by=f"{user}@{socket.gethostname()}",
        tag=tag,
        since=round(time.time(), 3),
        limit=round(limit),
        space=process_space(),
        pid=os.getpid(),
        born=birth(os.getpid()),
        old=held(old),
    )


def held(containers: Sequence[ContainerRow]) -> tuple[Held, ...]:
    """Containers as a ticket holds them."""
    return tuple(Held(container.id[:12], container.name, container.running) for container in containers)


def read(container: ContainerRow | None) -> Ticket | None:
    """The ticket of a container; None without one that can be read, and for no container."""
    try:
        return msgspec.json.decode(container.labels.get(label.TICKET, ""), type=Ticket) if container else None
    except msgspec.DecodeError:
        return None


def process_space() -> str:
    """This boot of this machine and this process namespace: within it a process id means one process at a time."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot[:8]}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # not Linux: this host's name has to do
        return socket.gethostname()


def hidden(pid: int) -> bool:
    """Whether a process runs that this user may not look at, as where /proc is mounted with hidepid."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return not birth(pid)
    except (OSError, OverflowError):
        pass
    return False


def birth(pid: int) -> str:
    """When a process was started, in clock ticks since boot; "" when it is over (proc(5), fields 3 and 22 of stat)."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if state in "ZX" else fields[18]
