"""Before anything is stopped: whether each node can run a version. And the lock of a rollout.

A manager cannot ask another node what it has. So a job makes a container of the image on each node, with the same
mounts: a node without the image, or without a folder that is to be mounted, rejects it. An image of a registry is
fetched then.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from invoke import Exit

from ..engine import commands, label, swarm
from ..engine.swarm import Node
from ..host.saying import say
from ..host.shell import Failed
from ..host.text import brief
from ..service import ticket
from ..service.ticket import Ticket
from . import failure
from .fleet import Fleet
from .stack import constraint

LOOK = 0.2
FETCHING, LOOKING = 3600.0, 60.0  # seconds that a node may take, with an image of a registry, and with one that it has
THERE = ("starting", "running", "complete", "failed")  # states that a task has only once its container was made


def holder(fleet: Fleet) -> Ticket | None:
    """Who has the lock: a rollout under way. None without one, and where its run was killed."""
    engine = fleet.service.engine
    found = swarm.service(engine, fleet.job)
    holder = ticket.of_text(found.ticket) if found else None
    return holder if found and holder and not holder.gone(engine.now() - found.created) else None


@contextmanager
def lock(fleet: Fleet, part: dict[str, Any], mine: Ticket, take_over: bool) -> Iterator[None]:
    """Hold the lock of a rollout, which is the job that looks at each node, for the time of the block.

    Args:
        part: the service in the stack file.

    Raises:
        Exit: with code 1, when somebody else has it.
    """
    free(fleet, take_over)
    command = commands.job(fleet.job, part["image"], options(fleet.stack, part), {label.TICKET: mine.text()})
    try:
        fleet.service.do(command, f"The job that looks at each node, {fleet.job}, was not made; see above.")
    except Failed:
        free(fleet, False)  # somebody else may have been faster
        raise
    try:
        yield
    finally:
        fleet.service.do(
            commands.remove_service(fleet.job), f"{fleet.job} is left. Type: docker service rm {fleet.job}"
        )


def free(fleet: Fleet, take_over: bool) -> None:
    """Make sure that nobody else has the lock; one whose run is gone is taken away.

    Raises:
        Exit: with code 1, and who has it.
    """
    found = swarm.service(fleet.service.engine, fleet.job)
    if found is None:
        return
    holder = ticket.of_text(found.ticket)
    if holder is None:
        way = f"If nobody needs it, type: docker service rm {fleet.job}"
        raise Exit(f"{fleet.job} is in this swarm, and no rollout made it. Nothing was changed. {way}", code=1)
    who = holder.who()
    if take_over or holder.gone(fleet.service.engine.now() - found.created):
        say(f"{who}: that run is over.")
        failure.forget(fleet, holder.tag)  # it may have ended between going back and this
        fleet.service.do(commands.remove_service(fleet.job), f"{fleet.job} cannot be removed; see above.")
        return
    way = fleet.service.next_command("rollout", "--take-over")
    raise Exit(f"{who}. Nothing was changed. If that run is gone for good, type: {way}", code=1)


def options(stack: str, part: dict[str, Any]) -> list[str]:
    """What the job has in common with the service."""
    found = ["--constraint", constraint(stack)]
    for network in part.get("networks", ()):
        found += ["--network", network]
    for mount in part.get("volumes", ()):
        if mount["type"] != "tmpfs":
            words = [f"{key}={mount[key]}" for key in ("type", "source", "target") if key in mount]
            found += ["--mount", ",".join(map(quoted, [*words, *(["readonly"] if mount.get("read_only") else [])]))]
    return found


def quoted(word: str) -> str:
    """A field of a line of CSV."""
    return '"{}"'.format(word.replace('"', '""')) if set(word) & {",", '"'} else word


def every_node(fleet: Fleet, nodes: Sequence[Node], image: str) -> None:
    """Wait until each node has made its container.

    Raises:
        Exit: with code 1 and a line for each node that cannot.
    """
    remote = "@" in image
    until = time.monotonic() + (FETCHING if remote else LOOKING)
    said: set[str] = set()
    while True:
        tasks = swarm.tasks(fleet.service.engine, fleet.job)
        waiting, wrong = [], []
        for node in nodes:
            mine = [task for task in tasks if task.node == node.id]
            errors = [task.error for task in mine if task.state == "rejected"]
            if any(task.state in THERE for task in mine):
                continue
            if errors:
                wrong.append(f"{node.name}: {brief(errors[0])}")
            else:
                waiting.append(node)
            if remote and node.id not in said and any(task.state == "preparing" for task in mine):
                said.add(node.id)
                say(f"{node.name}: fetching the image")
        if not waiting and not wrong:
            return
        if not waiting or time.monotonic() > until:
            raise cannot([*wrong, *(f"{node.name}: does not say whether it can" for node in waiting)], image)
        time.sleep(LOOK)


def cannot(lines: Sequence[str], image: str) -> Exit:
    """The end of a rollout that some nodes cannot take part in."""
    said = "".join(f"\n  {line}" for line in lines)
    if "@" in image or not any("No such image" in line for line in lines):
        return Exit(f"Not every node can run it; nothing was changed:{said}", code=1)
    return Exit(
        f"Not every node has the image; nothing was changed:{said}\n"
        f"Here it is {image}. Bring it to them with inv ship, or push it and add --digest. An engine with another kind "
        "of image store has it under another id, so such a fleet needs inv push and --digest.",
        code=1,
    )
