"""What a process of this machine, and what it starts, may use."""

from pathlib import Path

from msgspec import Struct

from .sockets import listener_of

UNLIMITED = -1
CAP_SYS_RESOURCE = 24  # Source: capabilities(7)
EVERYBODY = ["0", "0", "4294967295"]  # in uid_map: no user namespace below the machine's own
# docker's names for limits, and those in /proc/PID/limits (getrlimit(2)).
NAMES = {
    "core": "core file size",
    "cpu": "cpu time",
    "data": "data size",
    "fsize": "file size",
    "locks": "file locks",
    "memlock": "locked memory",
    "msgqueue": "msgqueue size",
    "nice": "nice priority",
    "nofile": "open files",
    "nproc": "processes",
    "rss": "resident set",
    "rtprio": "realtime priority",
    "rttime": "realtime timeout",
    "sigpending": "pending signals",
    "stack": "stack size",
}


class Limits(Struct, frozen=True):
    """The hard limits of a process by docker's names for them, UNLIMITED for none, and whether it may raise them."""

    hard: dict[str, int]
    may_raise: bool

    def allows(self, name: str, wanted: int) -> bool:
        """Whether the process may give what it starts this limit; what it does not know is believed to be fine."""
        hard = self.hard.get(name, UNLIMITED)
        return self.may_raise or hard == UNLIMITED or UNLIMITED < wanted <= hard


def of_listener(path: str) -> Limits | None:
    """The limits of the process that listens on a Unix socket; None where they cannot be told."""
    try:
        folder = Path(f"/proc/{listener_of(path)}")
        status, limits = (folder / "status").read_text(), (folder / "limits").read_text()
        rights = int(status.partition("CapEff:")[2].split()[0], 16)
        outermost = (folder / "uid_map").read_text().split() == EVERYBODY
    except (OSError, ValueError, IndexError):
        return None
    rows = {line[4:26].strip(): line[47:68].strip() for line in limits.splitlines()}
    hard = {name: number(rows[said]) for name, said in NAMES.items() if said in rows}
    return Limits(hard, outermost and bool(rights >> CAP_SYS_RESOURCE & 1))


def number(text: str) -> int:
    """A limit as /proc spells it."""
    return int(text) if text.isdigit() else UNLIMITED
