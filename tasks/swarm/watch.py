"""Watching the nodes until each runs a version, or it is plain that they will not.

Neither the state that Swarm gives an update nor the exit code of its commands says how one ended: after a failure in
going back it says paused while every node runs the old version, and it waits for a task without end. So each node's own
task is looked at, and there is a deadline.
"""

import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from ..engine.swarm import GOING_BACK, UNKNOWN, UPDATING, SwarmService, Version
from ..host.saying import say
from ..host.text import brief
from .fleet import Fleet, Row, state_of

LOOK = 0.3  # seconds between two looks
STOP = 10.0  # seconds that docker gives a container to end
INTERVAL = 30.0  # between two looks of docker's at a container's health
LATE = 5.0  # seconds more than a task is watched by Swarm, after which its state of the update does not matter


class Pace(Struct, frozen=True):
    """Times in seconds: `patience` may pass without another node that runs the version; `settle` is how long Swarm
    watches a new task.
    """

    patience: float
    settle: float


def until(fleet: Fleet, goal: Version, pace: Pace, objection: Callable[[SwarmService | None], str]) -> str:
    """Watch until every node that is up runs `goal`, and say what each does meanwhile.

    Args:
        objection: why there is no use in waiting, "" while there is.

    Returns:
        "" when they do, else why they do not.
    """
    said: dict[str, list[str]] = {}
    done: set[str] = set()
    last = time.monotonic()
    while True:
        asked = time.monotonic()
        service, rows = fleet.now(), fleet.rows()
        last += time.monotonic() - asked  # while a swarm has no leader, it answers late
        tell(rows, said)
        up = [row for row in rows if row.up]
        there = {row.node.id for row in up if row.runs(goal)}
        lost = [row.node for row in rows if row.node.state != "ready"]
        if there - done or len(there) < len(done) or any(node.state == UNKNOWN for node in lost):
            last = time.monotonic()
        done = there
        if why := objection(service):
            return why
        still = time.monotonic() - last
        late = still > pace.patience
        if up and len(there) == len(up) and settled(service, pace, still) and (late or not lost):
            return ""
        if late:
            missing = [row.node.name for row in up if not row.runs(goal)]
            away = [f"{row.node.name} ({state_of(row.node)})" for row in rows if not row.up]
            return f"it does not run on {', '.join(missing + away)}, and {pace.patience:.0f} s went by without progress"
        time.sleep(LOOK)


def between_nodes(fleet: Fleet) -> None:
    """Where an update is under way, wait for a moment in which no node replaces its container.

    What is begun then meets no container that is still about to end, and holds the port. It is not waited for longer
    than docker gives a container to end.
    """
    until = time.monotonic() + STOP
    while (now := fleet.now()) and now.update in (UPDATING, GOING_BACK) and time.monotonic() < until:
        tasks = [row.task for row in fleet.rows() if row.up]
        if all(task and task.state == task.wanted == "running" for task in tasks):
            return
        time.sleep(LOOK / 3)


def settled(service: SwarmService | None, pace: Pace, since: float) -> bool:
    """Whether nothing is to be expected any more of an update by which every node runs what it should.

    Args:
        since: seconds since the last node came to that.
    """
    busy = service is not None and service.update in (UPDATING, GOING_BACK)
    return since > pace.settle + (LATE if busy else 0)


def tell(rows: Sequence[Row], said: dict[str, list[str]]) -> None:
    """Print a line for each node whose state is another one; what Swarm tries again and again, once.

    Args:
        said: of each node what was printed since it runs, or since another version came; it is kept up.
    """
    for row in rows:
        task, before = row.task, said.get(row.node.id, [])
        if not row.up or task is None:
            line, begins = state_of(row.node) if not row.up else "nothing yet", True
        else:
            line = f"{task.version.tag} {task.state}{f': {brief(task.error)}' if task.error else ''}"
            begins = task.state == "running" or not before or not before[0].startswith(f"{task.version.tag} ")
        if line not in before:
            say(f"{row.node.name}: {line}")
            said[row.node.id] = [line] if begins else [*before, line]
