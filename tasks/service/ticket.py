"""The ticket of a switch: who started it, when, and what it replaces. Kept as a label on the candidate container.

The candidate's name exists once on an engine, so the candidate is the lock, and its ticket is all that another run
needs to go on with, or undo, a switch whose own process is gone.
"""

import getpass
import os
import re
import socket
import time
from pathlib import Path
from typing import Annotated

import msgspec

from ..engine import label
from ..engine.joined import Joined
from ..engine.records import ContainerRow
from ..host.text import printable, utc

Moment = Annotated[float, msgspec.Meta(ge=0, le=1e11)]  # a label can hold any number; this ends in the year 5138


class Held(msgspec.Struct, frozen=True):
    """A container that a switch replaces, as it was before.

    `id` are the first 12 characters. `image` (an id) and `ran` (the checked command, "" where no record of it is kept)
    are what it can be made anew from; `joined` are networks that it was connected to since; `restart` is its restart
    policy, "" where none is to be restored.
    """

    id: str
    name: str
    running: bool
    image: str = ""
    ran: str = ""
    restart: str = ""
    joined: tuple[Joined, ...] = ()


class Ticket(msgspec.Struct, frozen=True):
    """One run that changes a service.

    `by` is user@host. `space` (boot and process namespace), `pid` and `born` (clock ticks since boot) name the process;
    `since` is in seconds since 1970; `limit` are the seconds after which such a run is over in any case. `machine` is
    the same after a reboot. `number` counts the service's switches: clocks may go wrong, this does not.
    """

    by: str
    tag: str
    since: Moment
    limit: float
    space: str
    pid: int
    born: str
    old: tuple[Held, ...]
    machine: str = ""
    number: int = 0

    def text(self) -> str:
        """As a label's value."""
        return msgspec.json.encode(self).decode()

    def who(self) -> str:
        """For people: who is switching to what since when."""
        return (
            f"{printable(self.by)} is switching to {printable(self.tag)} since {utc(self.since)} (process {self.pid})"
        )

    def gone(self, age: float) -> bool:
        """Whether the run is over: its process is gone on this host, or its host was booted since; where nobody can
        look, it is older than any run can be.

        Args:
            age: seconds since the ticket's container was created, by the engine's clock.
        """
        here = process_space()
        if self.born and self.space == here and not hidden(self.pid):
            return birth(self.pid) != self.born
        booted = "" != boot_of(self.space) != boot_of(here)
        return age > self.limit or (booted and self.machine != "" and self.machine == machine())


def write(tag: str, old: tuple[Held, ...], limit: float, number: int = 0) -> Ticket:
    """A ticket for this process. `old`: the containers that the switch replaces."""
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
        old=old,
        machine=machine(),
        number=number,
    )


def read(container: ContainerRow | None) -> Ticket | None:
    """The ticket of a container; None without one that can be read, and for no container."""
    return of_text(container.labels.get(label.TICKET, "")) if container else None


def of_text(text: str) -> Ticket | None:
    """A ticket as `Ticket.text` writes it; None for what is none."""
    try:
        return msgspec.json.decode(text, type=Ticket)
    except msgspec.DecodeError:
        return None


def process_space() -> str:
    """This boot of this machine and this process namespace: within it a process id means one process at a time."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot[:8]}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # not Linux: this host's name has to do
        return socket.gethostname()


def boot_of(space: str) -> str:
    """The boot in what `process_space` says; "" where that is only a host's name."""
    boot, dash, inode = space.partition("-")
    return boot if dash and inode.isdigit() and re.fullmatch("[0-9a-f]{8}", boot) else ""


def machine() -> str:
    """What tells this machine from others and is the same after a reboot; "" where a boot cannot be told either.

    Copies of one virtual machine have one machine-id, so its name counts too.
    """
    if not boot_of(process_space()):
        return ""
    try:
        known = Path("/etc/machine-id").read_text().strip()
    except OSError:
        known = ""
    return f"{known}@{socket.gethostname()}"


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
