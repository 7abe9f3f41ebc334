"""The stack file of a version: what `docker stack deploy` makes a service of that runs on every labelled node."""

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

from invoke import Exit
from msgspec import Struct

from ..engine import label
from ..recommended.command import Recommended
from ..settings.model import Start
from .options import Piece, translated

BRIDGE, HOST = "bridge", "host"
KEY = "frame"  # the service's key in the stack file; Swarm calls it <stack>_frame


class Plan(Struct, frozen=True):
    """What is to run on each node: a version's `image` as the nodes know it, its `tag`, and the checked command.

    `stack` is the service's name in the settings, `default_runtime` that of every node as its owner says it.
    """

    stack: str
    image: str
    tag: str
    command: Recommended
    default_runtime: str = ""

    @property
    def service(self) -> str:
        return f"{self.stack}_{KEY}"


def node_label(stack: str) -> str:
    """The label of the nodes that run a service; its value is `true`."""
    return f"{label.OWN}{stack}"


def constraint(stack: str) -> str:
    """The words by which Swarm chooses these nodes."""
    return f"node.labels.{node_label(stack)} == true"


def document(plan: Plan, start: Start, marks: Mapping[str, str] | None = None) -> Piece:
    """The stack file's content.

    Args:
        marks: labels of the service that change nothing of its tasks: who deployed it.

    Raises:
        Exit: with code 1, when an option of the command cannot be translated: with all of them.
    """
    found = as_service(plan.command, plan.tag, plan.default_runtime)
    deploy = found.pop("deploy")
    labels = found.pop("labels", {})
    service: Piece = {"image": plan.image, **found}
    # A node's own bridge, as with `docker run`: a stack whose service names no network gets one for all nodes.
    service.setdefault("networks", [BRIDGE])
    if plan.command.command:
        service["command"] = [*plan.command.command]
    service["deploy"] = {
        "mode": "global",
        "placement": {"constraints": [constraint(plan.stack)]},
        **deploy,
        **pace(start),
    }
    content = {"version": "3.9", "services": {KEY: service}, **outside(service)}
    # What tells one thing that runs from another: the same version may be run in another way.
    stamp = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    service["labels"] = {**labels, label.VERSION: plan.tag, label.ROLLOUT: stamp, label.IMAGE: plan.image}
    service["deploy"]["labels"] = {label.VERSION: plan.tag, label.ROLLOUT: stamp, **(marks or {})}
    return content


def as_service(command: Recommended, tag: str, default_runtime: str) -> Piece:
    """A version's command as a service in a stack file, its options alone.

    Raises:
        Exit: with code 1, when one cannot be translated: with all of them.
    """
    found, refused = translated(command, default_runtime)
    if refused:
        more = "".join(f"\n  {sentence}" for sentence in refused)
        raise Exit(f"The recommended command of {tag} cannot run as a Swarm service:{more}", code=1)
    return found


def pace(start: Start) -> Piece:
    """Node after node; a node that fails within `settle` seconds takes all back, which nothing stops half-way.

    Swarm begins the next node right after a task runs, however long it watches that task: so both take equally long.
    """
    watched = f"{round(start.settle * 1000)}ms"
    alike = {"parallelism": 1, "order": "stop-first", "monitor": watched}
    return {
        "update_config": {**alike, "delay": watched, "failure_action": "rollback"},
        "rollback_config": {**alike, "failure_action": "continue"},
    }


def outside(service: Mapping[str, Any]) -> Piece:
    """The networks and volumes that a service uses: they are the nodes' own, and nothing is made for the stack."""
    networks = service.get("networks", ())
    named = [mount["source"] for mount in service.get("volumes", ()) if mount["type"] == "volume" and "source" in mount]
    found = {"networks": dict.fromkeys(networks), "volumes": dict.fromkeys(named)}
    return {kind: {name: {"external": True, "name": name} for name in names} for kind, names in found.items() if names}


def stamp_of(content: Mapping[str, Any]) -> str:
    """What tells a stack file from others, less who deployed it."""
    return str(content["services"][KEY]["labels"][label.ROLLOUT])


def text(content: Mapping[str, Any]) -> str:
    """A stack file as YAML; what docker would replace in it by a variable is written twice."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    written = io.StringIO()
    yaml.dump(literal(content), written)
    return written.getvalue()


def literal(said: Any) -> Any:
    """The same with each `$` doubled: docker reads one as the beginning of a variable."""
    if isinstance(said, Mapping):
        return {key: literal(value) for key, value in said.items()}
    if isinstance(said, list):
        return [literal(value) for value in said]
    return said.replace("$", "$$") if isinstance(said, str) else said
