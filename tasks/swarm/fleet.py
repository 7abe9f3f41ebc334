"""The nodes that are to run a service, and what each of them runs now."""

import re
import time
from collections.abc import Sequence

from invoke import Exit
from msgspec import Struct

from ..engine import swarm
from ..engine.swarm import Node, SwarmService, Task, Version
from ..host.saying import say
from ..service.service import Service
from ..settings.this_run import next_command
from .stack import KEY, node_label

NAME = r"[a-zA-Z0-9]([a-zA-Z0-9_-]*[a-zA-Z0-9])?"  # of a service in a swarm: other than a container's, without dots
TELLING = 30.0  # seconds that nodes may take until a new leader knows of them; then it calls them down
LOOK = 0.5
LONGEST = 63 - len(f"_{KEY}") - len("_")


class Row(Struct, frozen=True):
    """A node and its task: the one that Swarm wants to run there, else the last. `error` is of the last of the same
    version that failed.
    """

    node: Node
    task: Task | None
    error: str

    @property
    def up(self) -> bool:
        """Whether the node can be given a task."""
        return self.node.state == "ready" and self.node.availability == "active"

    @property
    def given_up(self) -> bool:
        """Whether Swarm does not try any more: it wants no task to run on a node that is up, now or in a moment."""
        return self.up and (self.task is None or self.task.wanted not in ("ready", "running"))

    def runs(self, version: Version) -> bool:
        """Whether the node runs this: Swarm calls a task running only when it is healthy."""
        task = self.task
        return task is not None and task.state == task.wanted == "running" and same(task.version, version)


class Fleet(Struct, frozen=True):
    """A service on a swarm. `service` is the one of the settings, on a manager's engine."""

    service: Service

    @classmethod
    def of(cls, service: Service) -> "Fleet":
        """The fleet of a service.

        Raises:
            Exit: with code 1, when the engine manages no swarm; with 2, when a swarm takes no such name.
        """
        if not re.fullmatch(NAME, service.name) or len(service.name) > LONGEST:
            said = f"a Swarm service's name has letters, digits, - and _ alone, and at most {LONGEST} of them"
            raise Exit(f"{service.name} cannot be rolled out: {said}. Give the frame another `service`.", code=2)
        swarm.must_manage(service.engine)
        return cls(service)

    @property
    def stack(self) -> str:
        return self.service.name

    @property
    def name(self) -> str:
        """The service as the swarm calls it."""
        return f"{self.stack}_{KEY}"

    @property
    def job(self) -> str:
        """The service that looks whether each node can run a version; there is one at a time, so it is the lock."""
        return f"{self.stack}_check"

    def way(self, *words: str, again: bool = False, where: Sequence[str] = ()) -> str:
        """`inv rollout` to type next, for something else than what was typed now. `where`: for another engine."""
        return next_command(self.service.c, self.service.frame, "rollout", *words, again=again, where=where)

    def now(self) -> SwarmService | None:
        """The service in the swarm; None without one.

        Raises:
            Exit: with code 1, when another one has its name.
        """
        found = swarm.service(self.service.engine, self.name)
        if found and not found.version.stamp:
            raise Exit(
                f"{self.name} is in this swarm already, and no rollout made it. Nothing was changed. Give the frame "
                f"another `service`; or if nobody needs that one, type: docker service rm {self.name}",
                code=1,
            )
        return found

    def known(self) -> list[Node]:
        """Every node, once each of those that are to run the service has told a new leader that it is there."""
        until = 0.0
        while True:
            nodes = swarm.nodes(self.service.engine)
            unknown = [node.name for node in self.labelled(nodes) if node.state == swarm.UNKNOWN]
            if not unknown or (until and time.monotonic() > until):
                return nodes
            if not until:
                until = time.monotonic() + TELLING
                say(f"The swarm has a new leader. Waiting for {', '.join(unknown)}, up to {TELLING:.0f} s.")
            time.sleep(LOOK)

    def labelled(self, nodes: Sequence[Node]) -> list[Node]:
        """Those of the nodes that are to run the service."""
        return [node for node in nodes if node.labels.get(node_label(self.stack)) == "true"]

    def unlabelled(self, nodes: Sequence[Node]) -> str:
        """What to type where no node is to run the service."""
        names = ", ".join(node.name for node in nodes)
        way = f"docker node update --label-add {node_label(self.stack)}=true NODE"
        return f"No node has the label of {self.stack}; the nodes are {names}. For each that is to run it, type: {way}"

    def rows(self, name: str = "") -> list[Row]:
        """What each node runs: those with the label, and others where a task still is. `name`: another service's."""
        found, nodes = swarm.tasks(self.service.engine, name or self.name), swarm.nodes(self.service.engine)
        labelled = {node.id for node in self.labelled(nodes)}
        busy = {task.node for task in found if task.wanted == "running" and task.state != "orphaned"}
        return [row(node, found) for node in nodes if node.id in labelled | busy]

    def able(self) -> "Fleet":
        """This fleet, if its nodes are ready."""
        self.ready()
        return self

    def ready(self) -> list[Node]:
        """The nodes that are to run the service, all of which can be given a task.

        Raises:
            Exit: with code 1 and what to type, when there is none, or one that is down or set aside.
        """
        nodes = self.known()
        found, label = self.labelled(nodes), node_label(self.stack)
        if not found:
            raise Exit(self.unlabelled(nodes), code=1)
        away = [node for node in found if node.state != "ready" or node.availability != "active"]
        if away:
            which = ", ".join(f"{node.name} ({state_of(node)})" for node in away)
            first = away[0]
            back = f" (docker node update --availability active {first.name})" if first.state == "ready" else ""
            raise Exit(
                f"Not every node of {self.stack} can run it: {which}. Nothing was changed. Bring it back{back}, or "
                f"leave it out: docker node update --label-rm {label} {first.name}",
                code=1,
            )
        return found


def row(node: Node, tasks: Sequence[Task]) -> Row:
    """What a node runs. `tasks`: of all nodes, the newest first."""
    mine = [task for task in tasks if task.node == node.id]
    wanted = [task for task in mine if task.wanted == "running"]
    shown = next(iter([*wanted, *mine]), None)
    failed = [task for task in mine if task.error and shown and same(task.version, shown.version)]
    return Row(node, shown, failed[0].error if failed else "")


def same(one: Version, other: Version) -> bool:
    """Whether two are the same image run in the same way."""
    return (one.image, one.stamp) == (other.image, other.stamp)


def every(rows: Sequence[Row] | Sequence[Node]) -> str:
    """All of the nodes, in words."""
    return f"each of the {len(rows)} nodes" if len(rows) > 1 else "the one node"


def state_of(node: Node) -> str:
    """A node's state in a word: what keeps it from running anything, else ready."""
    return node.state if node.state != "ready" or node.availability == "active" else node.availability
