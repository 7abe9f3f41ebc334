"""Why a version fails on a node: Swarm's word on its task, and the last lines that it wrote."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..engine import commands, label, swarm
from ..engine.swarm import Task, Version
from ..host.saying import say
from ..host.shell import ask
from ..host.text import brief, printable
from .fleet import Fleet, same

LINES = "10"


def ids(fleet: Fleet) -> frozenset[str]:
    """The tasks that there are. What comes later is told from them by no clock: managers have one each."""
    return frozenset(task.id for task in swarm.tasks(fleet.service.engine, fleet.name))


def tasks(fleet: Fleet, goal: Version, before: frozenset[str]) -> list[Task]:
    """The tasks of a version that failed, the last one first, but for those that were there `before`."""
    found = [task for task in swarm.tasks(fleet.service.engine, fleet.name) if task.id not in before]
    return [task for task in found if task.error and same(task.version, goal) and task.state in ("failed", "rejected")]


def first(fleet: Fleet, goal: Version, before: frozenset[str], spared: int = 0) -> str:
    """Where and how a version failed first; "" where it did not. `spared`: failures of each node that do not count."""
    found = tasks(fleet, goal, before)
    found = [task for place, task in enumerate(found) if [one.node for one in found[place:]].count(task.node) > spared]
    return f"{name_of(fleet, found[-1].node)}: {brief(found[-1].error)}" if found else ""


def given_up(fleet: Fleet, about: str) -> str:
    """Why Swarm goes back, by its message, in which a task has an id alone. One of a node that was away ends so."""
    for task in swarm.tasks(fleet.service.engine, fleet.name):
        if task.id in about:
            return f"{name_of(fleet, task.node)}: {brief(task.error or 'it ended early there')}"
    return about or "the swarm goes back"


def name_of(fleet: Fleet, node: str) -> str:
    """What people call a node. `node`: its id."""
    return next((one.name for one in swarm.nodes(fleet.service.engine) if one.id == node), "a node")


def last_lines(fleet: Fleet, goal: Version, before: frozenset[str]) -> None:
    """Print the last lines that a failed task wrote, if its node can be asked."""
    up = {node.id for node in swarm.nodes(fleet.service.engine) if node.state == "ready"}
    wrote = [task for task in tasks(fleet, goal, before) if task.state == "failed" and task.node in up]
    if wrote:
        command = ["docker", "service", "logs", "--raw", "--tail", LINES, wrote[0].id]
        said = ask(fleet.service.c, command, fleet.service.engine.environment)
        for line in (said.stdout + said.stderr).splitlines() if said.ok else ():
            say(f"  {printable(line)}")


@contextmanager
def forgotten(fleet: Fleet, tag: str) -> Iterator[None]:
    """See `forget`: after the block, and when somebody interrupts it."""
    try:
        yield
    except KeyboardInterrupt:
        forget(fleet, tag)
        raise
    forget(fleet, tag)


def forget(fleet: Fleet, tag: str) -> None:
    """Make sure that the version that failed, by its tag, is not what the next way back leads to."""
    now = fleet.now()
    if now and now.before and now.before.tag == tag:
        command = commands.label_service(fleet.name, label.FAILED, tag)
        fleet.service.do(command, f"{tag} is what the swarm would go back to; see above.")
