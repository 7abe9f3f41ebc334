"""What a service is on a swarm now: which version it should be, and what each node runs."""

from collections.abc import Sequence

from invoke import Exit
from msgspec import Struct

from ..engine import swarm
from ..engine.swarm import GOING_BACK, UPDATING, WENT_BACK, SwarmService
from ..host import document
from ..host.saying import say
from ..service.ticket import Ticket
from . import locking, table
from .fleet import Fleet, Row, state_of

NOTHING_RUNS = 3


class NodeStatus(Struct, frozen=True):
    """A node. `state` is ready, or what keeps it from running anything; `task` is Swarm's state of its task.

    `right` says whether it runs what it should. `version` is the tag, `image` the image of its task; `error` is of the
    last one that failed there.
    """

    node: str
    id: str
    state: str
    right: bool
    version: str | None
    image: str | None
    task: str | None
    since: str | None
    error: str | None


class Under(Struct, frozen=True):
    """A rollout under way: who began it and when, and to which tag."""

    by: str
    to: str
    since: str | None


class Status(Struct, frozen=True):
    """A service on a swarm. `update` is Swarm's own state of the last update, and is not to be trusted."""

    service: str
    healthy: bool
    version: str | None
    image: str | None
    before: str | None
    update: str | None
    rollout: Under | None
    nodes: tuple[NodeStatus, ...]

    @property
    def exit_code(self) -> int:
        return NOTHING_RUNS if self.version is None else int(not self.healthy)


def report(fleet: Fleet, rows: Sequence[Row], holder: Ticket | None) -> Status:
    """What is known of a service. `rows`: of its nodes; `holder`: who has the lock of a rollout."""
    now = fleet.now()
    nodes = tuple(node_status(row, now) for row in rows)
    return Status(
        service=fleet.name,
        healthy=bool(nodes) and all(node.right for node in nodes),
        version=now.version.tag if now else None,
        image=now.version.image if now else None,
        before=now.before.tag if now and now.before else None,
        update=now.update or None if now else None,
        rollout=under_way(holder),
        nodes=nodes,
    )


def node_status(row: Row, now: SwarmService | None) -> NodeStatus:
    """What is known of a node."""
    task = row.task
    return NodeStatus(
        node=row.node.name,
        id=row.node.id,
        state=state_of(row.node),
        right=now is not None and row.up and row.runs(now.version),
        version=task.version.tag if task else None,
        image=task.version.image if task else None,
        task=task.state if task else None,
        since=document.moment(task.since) if task else None,
        error=row.error or None,
    )


def under_way(holder: Ticket | None) -> Under | None:
    """The rollout that is under way; None without one."""
    return Under(holder.by, holder.tag, document.moment(holder.since)) if holder else None


def show(fleet: Fleet, found: Status, rows: Sequence[Row], holder: Ticket | None) -> None:
    """Print it for people."""
    if holder:
        say(f"{holder.who()}.")
    if found.version is None:
        say(f"{found.service}: nothing runs. Type: {fleet.way()}")
        return
    if not holder and found.update in (UPDATING, GOING_BACK):
        say("The swarm is updating it, and nobody watches that.")
    if found.update == WENT_BACK and found.before:
        say(f"The swarm has gone back from {found.before}.")
    good = sum(node.right for node in found.nodes)
    say(f"{found.service}: {found.version}, on {good} of {len(found.nodes)} nodes")
    if found.before:
        say(f"before: {found.before}")
    if rows:
        table.show(rows)
    else:
        say(fleet.unlabelled(swarm.nodes(fleet.service.engine)))


def answer(fleet: Fleet, as_json: bool) -> None:
    """Print the status, and end with its exit code.

    Raises:
        Exit: with that code, unless it is 0.
    """
    rows, holder = fleet.rows(), locking.holder(fleet)
    found = report(fleet, rows, holder)
    document.show(found) if as_json else show(fleet, found, rows, holder)
    if found.exit_code:
        raise Exit(code=found.exit_code)
