"""Before anything is stopped: whether each node can run a version.

A manager cannot ask another node what it has. So a job makes a container of the image on each node, with the same
mounts: a node without the image, or without a folder that is to be mounted, rejects it. An image of a registry is
fetched then. In a first rollout the job publishes the service's ports too: a node where one is held cannot start it.
"""

import re
import time
from collections.abc import Sequence
from typing import Any

from invoke import Exit

from ..engine import swarm
from ..engine.swarm import Node, Task
from ..host.saying import say
from ..host.text import brief
from .fleet import Fleet, state_of
from .stack import BRIDGE, HOST, constraint

LOOK = 0.2
FETCHING, LOOKING = 3600.0, 60.0  # seconds that a node may take, with an image of a registry, and with one that it has
TAKEN = "something has its port"
STOPPING = 15.0  # seconds that a container which ends may have a port
TRIES = ["--restart-delay", "3s", "--restart-max-attempts", "4"]  # all within that time
HELD = ("address already in use", "port is already allocated", "host-mode port already in use")
THERE = ("starting", "running", "complete", "failed")  # states that a task has only once its container was made


def options(stack: str, part: dict[str, Any]) -> list[str]:
    """What the job has in common with the service."""
    found = ["--constraint", constraint(stack)]
    # What was stopped a moment ago may have a port still.
    found += ["--restart-condition", *(["on-failure", *TRIES] if part.get("ports") else ["none"])]
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
    remote = "@" in image
    until = time.monotonic() + (FETCHING if remote else LOOKING)
    said: set[str] = set()
    tried: dict[str, float] = {}
    while True:
        tasks = swarm.tasks(fleet.service.engine, fleet.job)
        waiting, wrong = [], []
        for node in nodes:
            mine = [task for task in tasks if task.node == node.id]
            why = trouble(node, mine, ports, tried)
            if why:
                wrong.append(f"{node.name}: {why}")
            elif why is None:
                waiting.append(node)
            if remote and node.id not in said and any(task.state == "preparing" for task in mine):
                said.add(node.id)
                say(f"{node.name}: fetching the image")
        if not waiting and not wrong:
            return
        if not waiting or time.monotonic() > until:
            raise cannot(fleet, [*wrong, *silent(fleet, waiting)], image)
        time.sleep(LOOK)


def silent(fleet: Fleet, waiting: Sequence[Node]) -> list[str]:
    """A line for each node that has not answered, with what it is by now."""
    now = {node.id: state_of(node) for node in swarm.nodes(fleet.service.engine)}
    return [f"{node.name} ({now.get(node.id, 'gone')}): does not say whether it can" for node in waiting]


def trouble(node: Node, tasks: Sequence[Task], ports: Sequence[dict[str, Any]], tried: dict[str, float]) -> str | None:
    """Why a node cannot run it, "" where it can, None while that is not known.

    Args:
        tasks: the job's on this node, the newest first.
        ports: what it publishes; it is tried again where it could not.
        tried: since when, of each node; it is kept up.
    """
    if errors := [task.error for task in tasks if task.state == "rejected"]:
        return brief(errors[0])
    if any(task.state == "complete" or (not ports and task.state in THERE) for task in tasks):
        return ""
    ended = [task for task in tasks if task.state == "failed" or held(task)]
    if not ended:
        return None
    taken = f"{TAKEN} {which(ended[0].error, ports)}" if held(ended[0]) else ""  # else the image has no `true`
    if node.id not in tried:
        tried[node.id] = time.monotonic()
        if taken:
            say(f"{node.name}: {taken}; waiting up to {STOPPING:.0f} s for its end")
    return taken if time.monotonic() - tried[node.id] > STOPPING else None


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
