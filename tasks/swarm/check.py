"""Before anything is stopped: whether each node can run a version. And the lock of a rollout.

A manager cannot ask another node what it has. So a job makes a container of the image on each node, with the same
mounts: a node without the image, or without a folder that is to be mounted, rejects it. An image of a registry is
fetched then. In a first rollout the job publishes the service's ports too: a node where one is held cannot start it.
"""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from invoke import Exit

from ..engine import commands, label, swarm
from ..engine.client import Unreachable
from ..engine.swarm import Node, Task
from ..host.saying import say
from ..host.shell import Failed
from ..host.text import brief
from ..service import ticket
from ..service.ticket import Ticket
from . import failure, patience
from .fleet import Fleet
from .stack import BRIDGE, HOST, constraint

LOOK = 0.2
TAKING = 1.0  # seconds between the end of a lock and the one of whoever takes it over
FETCHING, LOOKING = 3600.0, 60.0  # seconds that a node may take, with an image of a registry, and with one that it has
TAKEN = "something has its port"
STOPPING, RETRIES = 15.0, "15"  # seconds that a container which ends may have a port, and tries in that time
HELD = ("address already in use", "port is already allocated", "host-mode port already in use")
ENDED = ("complete", "failed")
THERE = ("starting", "running", *ENDED)  # states that a task has only once its container was made


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
    over, left = commands.remove_service(fleet.job), f"{fleet.job} is left. Type: docker service rm {fleet.job}"
    command = commands.job(fleet.job, part["image"], options(fleet.stack, part), {label.TICKET: mine.text()})
    try:
        fleet.service.do(command, f"The job that looks at each node, {fleet.job}, was not made; see above.")
    except Failed:
        if not has(fleet, mine):  # else the leader was lost once it had made it
            free(fleet, False)  # somebody else may have been faster
            raise
    try:
        yield
    except BaseException:
        try:
            if fleet.service.dry or has(fleet, mine):
                fleet.service.do(over, left)
        except (Failed, Unreachable):
            say(left)  # why the rollout ends is said after it
        raise
    if fleet.service.dry or has(fleet, mine):
        patience.act(fleet, over, left, lambda: not has(fleet, mine))


def has(fleet: Fleet, mine: Ticket) -> bool:
    """Whether this run still has the lock: somebody may have taken it over."""
    found = swarm.service(fleet.service.engine, fleet.job)
    return found is not None and found.ticket == mine.text()


def keep(fleet: Fleet, mine: Ticket) -> None:
    """See to it that this run still has the lock.

    Raises:
        Exit: with code 1, when somebody has taken it.
    """
    if has(fleet, mine):
        return
    time.sleep(TAKING)
    other = holder(fleet)
    who = f"{other.who()}, and has taken this over" if other else f"Somebody has removed {fleet.job}"
    raise Exit(f"{who}. Nothing more is done here. See: {fleet.way('--status')}", code=1)


def tidy(fleet: Fleet) -> None:
    """Take the lock away that a run left which is gone."""
    found = swarm.service(fleet.service.engine, fleet.job)
    if found and ticket.of_text(found.ticket) and holder(fleet) is None:
        free(fleet, False)


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
    if part.get("ports"):  # what was stopped a moment ago may have one still
        found += ["--restart-condition", "on-failure", "--restart-delay", "1s", "--restart-max-attempts", RETRIES]
    for port in part.get("ports", ()):
        words = [f"{key}={port[key]}" for key in ("mode", "published", "target", "protocol")]
        found += ["--publish", ",".join(words)]
    for network in part.get("networks", ()):
        found += ["--network", network]
    for mount in part.get("volumes", ()):
        if mount["type"] != "tmpfs":
            words = [f"{key}={mount[key]}" for key in ("type", "source", "target") if key in mount]
            found += ["--mount", ",".join(map(quoted, [*words, *(["readonly"] if mount.get("read_only") else [])]))]
    return found


def looked_at(part: dict[str, Any], port: int | None, first: bool) -> dict[str, Any]:
    """What each node is to be looked at for. The node's own ports count `first`; later the service itself has them.

    Args:
        part: the service in the stack file.
        port: the one that it has in the node's own network; None where that is not known.
    """
    ports = [one for one in part.get("ports", ()) if "published" in one] if first else []
    if first and port and HOST in part["networks"]:
        ports = [{"mode": "host", "published": port, "target": port, "protocol": "tcp"}]
        part = {**part, "networks": [BRIDGE]}  # docker publishes nothing of a container in the node's network
    return {**part, "ports": ports}


def quoted(word: str) -> str:
    """A field of a line of CSV."""
    return '"{}"'.format(word.replace('"', '""')) if set(word) & {",", '"'} else word


def every_node(fleet: Fleet, nodes: Sequence[Node], part: dict[str, Any]) -> None:
    """Wait until each node has made its container, and given back its ports.

    Args:
        part: as `lock` has it.

    Raises:
        Exit: with code 1 and a line for each node that cannot.
    """
    image, ports = part["image"], part.get("ports", ())
    remote, enough = "@" in image, ENDED if ports else THERE
    begun = time.monotonic()
    until = begun + (FETCHING if remote else LOOKING)
    said: set[str] = set()
    while True:
        tasks = swarm.tasks(fleet.service.engine, fleet.job)
        waiting, wrong = [], []
        for node in nodes:
            mine = [task for task in tasks if task.node == node.id]
            errors = [task.error for task in mine if task.state == "rejected"]
            busy = [task.error for task in mine if held(task)]
            if errors:
                wrong.append(f"{node.name}: {brief(errors[0])}")
            elif any(task.state in enough and not held(task) for task in mine):
                continue
            elif busy and time.monotonic() > begun + STOPPING:
                wrong.append(f"{node.name}: {TAKEN} {which(busy[0], ports)}")
            else:
                waiting.append(node)
            if remote and node.id not in said and any(task.state == "preparing" for task in mine):
                said.add(node.id)
                say(f"{node.name}: fetching the image")
        if not waiting and not wrong:
            return
        if not waiting or time.monotonic() > until:
            raise cannot(fleet, [*wrong, *(f"{node.name}: does not say whether it can" for node in waiting)], image)
        time.sleep(LOOK)


def held(task: Task) -> bool:
    """Whether a task could not be started because something has its port."""
    return any(words in task.error for words in HELD)


def which(error: str, ports: Sequence[dict[str, Any]]) -> str:
    """The ports that an error names, else all."""
    every = [str(port["published"]) for port in ports]
    return ", ".join([port for port in every if re.search(rf":{port}\b", error)] or every)


def cannot(fleet: Fleet, lines: Sequence[str], image: str) -> Exit:
    """The end of a rollout that some nodes cannot take part in."""
    said = "".join(f"\n  {line}" for line in lines)
    if any(TAKEN in line for line in lines):
        said += (
            f"\nWho that is says, as root there: ss -ltnp\nWhere it is {fleet.stack} by inv start, type there: inv stop"
        )
    if "@" in image or not any("No such image" in line for line in lines):
        return Exit(f"Not every node can run it; nothing was changed:{said}", code=1)
    return Exit(
        f"Not every node has the image; nothing was changed:{said}\n"
        f"Here it is {image}. Push it with inv push, and add the --digest that this prints. Or bring it to them with "
        "inv ship, if all engines have one kind of image store: an id is another one in the other kind.",
        code=1,
    )
