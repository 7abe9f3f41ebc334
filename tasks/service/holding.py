"""The lock as its run sees it: before each act, whether it still holds it.

A run may sleep, as a laptop does, and somebody else take over; a `docker container prune` may remove the candidate.
Whoever finds its lock lost touches nothing more.
"""

from collections.abc import Sequence

from invoke import Exit
from msgspec import Struct
from msgspec.structs import replace

from ..engine import label
from ..engine.records import Container
from ..host.text import printable
from . import ticket
from .connections import Hold
from .service import Service
from .ticket import Ticket


class Lost(Exit):
    """A lock that this run holds no more, exit code 1. `taken`: somebody else has switched, or is at it."""

    def __init__(self, why: str, taken: bool) -> None:
        super().__init__(f"Lock lost: {why}.", code=1)
        self.taken = taken


class Lock(Struct, frozen=True):
    """The lock of a switch: the candidate of this `id`, with this ticket.

    `hold` keeps new connections waiting. `recovery` is the ticket on the recovery lock, where this run recovers the
    switch of another. `open`: the candidate was removed, or has another name, and this run goes back without that lock;
    then nobody else's may be there, and the recovery lock may have gone the same way.
    """

    service: Service
    ticket: Ticket
    id: str
    hold: Hold
    recovery: Ticket | None = None
    open: bool = False

    @property
    def target(self) -> str:
        """The candidate in a command: its id as docker shows it; its name under `--dry`, where it has none yet."""
        return self.id[:12] or self.service.candidate

    def do(self, command: Sequence[str], failed: str) -> None:
        """`Service.do`, if this run still holds the lock.

        Raises:
            Lost: else.
            Failed: when the command fails.
        """
        if not self.service.dry:
            self.check()
        self.service.do(command, failed)

    def check(self) -> Container | None:
        """The candidate; None where the lock is `open`.

        Raises:
            Lost: when this run does not hold the lock any more.
        """
        engine, service = self.service.engine, self.service
        recovering = ticket.read(engine.container(service.recovery_lock)) if self.recovery else None
        if recovering != self.recovery and not (self.open and recovering is None):
            raise self.lost(service.recovery_lock)
        found = engine.container(service.candidate)
        held = found is None if self.open else found is not None and found.id == self.id
        if not held:
            raise self.lost(service.candidate)
        return found

    def to_go_back(self) -> "Lock":
        """This lock, or an open one if somebody removed or renamed the candidate and nobody else has come since.

        Raises:
            Lost: when somebody else has it or has switched, or only the recovery lock was removed.
        """
        try:
            self.check()
        except Lost as lost:
            if lost.taken or self.service.engine.container(self.service.candidate):
                raise
            return replace(self, open=True)
        return self

    def lost(self, name: str) -> Lost:
        """Why the lock is lost, and who has it now. `name`: of the container that should be there."""
        service, engine = self.service, self.service.engine
        for holder in (service.recovery_lock, service.candidate):
            theirs = ticket.read(engine.container(holder))
            if theirs and theirs not in (self.ticket, self.recovery):
                return Lost(theirs.who(), taken=True)
        old = {held.id for held in self.ticket.old}
        for container in service.own(engine.containers()):
            if container.id[:12] in old or container.id == self.id or container.name in service.temporary:
                continue
            if container.name == service.name or container.running:
                theirs = ticket.read(container)
                by = f"{printable(theirs.by)} has switched to" if theirs else "somebody has started"
                tag = printable(label.version_of(container.labels, container.image))
                return Lost(f"{by} {tag} meanwhile", taken=True)
        found = engine.container(self.id) if self.id else None
        if found and found.name == service.name:
            return Lost(f"somebody has finished the switch to {printable(self.ticket.tag)} meanwhile", taken=True)
        renamed = found is not None and name == service.candidate and found.name != name
        return Lost(f"somebody {'renamed' if renamed else 'removed'} {name}", taken=False)
