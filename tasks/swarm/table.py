"""What runs where: a line for each node."""

import time
from collections.abc import Sequence

from ..host import table
from ..host.text import ago, brief
from .fleet import Row, state_of

HEADS = ("node", "state", "version", "task", "since", "error")


def show(rows: Sequence[Row]) -> None:
    """Print the nodes and their versions."""
    table.show("", HEADS, [cells(row) for row in rows], spare=("since",))


def cells(row: Row) -> tuple[str, ...]:
    """A node's line. What a node that is away says of its task is of before it went."""
    task = row.task
    if task is None:
        return (row.node.name, state_of(row.node), "-", "-", "-", brief(row.error))
    running = task.state == task.wanted == "running"
    since = ago(time.time() - task.since)
    return (
        row.node.name,
        state_of(row.node),
        task.version.tag,
        task.state,
        since,
        "" if running else brief(row.error),
    )
