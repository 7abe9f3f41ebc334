"""What a manager of a Docker Swarm knows: its nodes, a service, the service's task on each node. Only read.

Source: https://docs.docker.com/reference/api/engine/, Node, Service and Task.
"""

from collections.abc import Mapping
from typing import Any

from invoke import Exit
from msgspec import Struct

from . import label
from .client import Client
from .names import full_reference
from .records import ImageRow, moment

UPDATING, GOING_BACK, WENT_BACK = "updating", "rollback_started", "rollback_completed"
LIVING = ("preparing", "starting", "running")  # states of a task that has, or is about to have, a container
UNKNOWN = "unknown"  # the state of a node that has not told a new leader yet that it is there


class Node(Struct, frozen=True):
    """A node: `state` is ready, down, unknown or disconnected, `availability` active, pause or drain."""

    id: str
    name: str
    state: str
    availability: str
    labels: dict[str, str]


class Version(Struct, frozen=True):
    """What a service or a task runs: an image, and the stack file that said so, by its hash; `tag` is for people."""

    image: str
    stamp: str
    tag: str


class SwarmService(Struct, frozen=True):
    """A service: `before` is what it goes back to, None where nothing else is remembered.

    `update` is Swarm's state of the last update, such as updating, completed or rollback_paused; "" before the first.
    `begun` is when that began, and `about` its message. `noted` is the image of its stack file: another one was set by
    hand. `ticket` is the label of who deployed it. `created` is by the manager's clock.
    """

    id: str
    name: str
    version: Version
    before: Version | None
    update: str
    begun: float
    about: str
    noted: str
    ticket: str
    created: float


class Task(Struct, frozen=True):
    """A service's task on a node.

    `state` is Swarm's (running, starting, failed, rejected, …), `wanted` the one that Swarm wants it in, `error` why it
    is not. `since` is when it came into that state, `created` when it was made, by the manager's clock.
    """

    id: str
    node: str
    state: str
    wanted: str
    version: Version
    error: str
    since: float
    created: float


def about(engine: Client) -> dict[str, Any]:
    """What an engine says of its swarm; {} where it is in none."""
    return (engine.get("info") or {}).get("Swarm") or {}


def manages(engine: Client) -> bool:
    """Whether an engine is a manager of a swarm."""
    return bool(about(engine).get("ControlAvailable"))


def must_manage(engine: Client) -> None:
    """Refuse an engine that manages no swarm.

    Raises:
        Exit: with code 1 and what to type.
    """
    found = about(engine)
    if found.get("ControlAvailable"):
        return
    if found.get("LocalNodeState") in ("active", "pending"):
        addresses = ", ".join(others(found))
        where = f" ({addresses})" if addresses else ""
        raise Exit(
            f"The engine at {engine.endpoint.host} is a worker of its swarm, and only a manager{where} can roll out. "
            "Type the same for one: DOCKER_CONTEXT=MANAGER inv rollout",
            code=1,
        )
    raise Exit(
        f"The engine at {engine.endpoint.host} is in no swarm. For a single host, inv start is enough. For several, "
        "make this one the manager, and type on each other host the line that it prints. Type: docker swarm init",
        code=1,
    )


def others(said: Mapping[str, Any]) -> list[str]:
    """The addresses of the managers that an engine knows beside itself. `said`: as by `about`."""
    found = {one["Addr"].rpartition(":")[0].strip("[]") for one in said.get("RemoteManagers") or ()}
    return sorted(found - {said.get("NodeAddr")})


def named(engine: Client) -> dict[str, str] | None:
    """The images that the swarm's services name, as they do, each with why it must stay: one may go back to it.

    Returns:
        Nothing where the engine is in no swarm; None where it is in one, but no manager that can be asked.
    """
    said = about(engine)
    if not said.get("ControlAvailable"):
        return {} if said.get("LocalNodeState", "inactive") in ("", "inactive") else None
    rows = engine.get("services") or ()
    found: dict[str, str] = {}
    for key, why in (("PreviousSpec", "the swarm's {} goes back to it"), ("Spec", "the swarm's {} is to run it")):
        found |= {image_of(row[key]): why.format(row["Spec"]["Name"]) for row in rows if row.get(key)}
    return found


def image_of(spec: Mapping[str, Any]) -> str:
    """The image that a service's specification names; "" for one that runs no container."""
    return version(spec["TaskTemplate"]).image


def means(reference: str, image: ImageRow) -> bool:
    """Whether a service that names an image so means this one: by its id, a digest or a tag."""
    name, _, digest = reference.partition("@")
    if digest:
        return digest == image.id or any(one.endswith(f"@{digest}") for one in image.digests)
    return name == image.id or any(full_reference(tag) == full_reference(name) for tag in image.tags)


def nodes(engine: Client) -> list[Node]:
    """Every node, by name."""
    found = [
        Node(
            id=row["ID"],
            name=row["Description"].get("Hostname") or row["ID"],
            state=row["Status"]["State"],
            availability=row["Spec"]["Availability"],
            labels=row["Spec"].get("Labels") or {},
        )
        for row in engine.get("nodes") or ()
    ]
    return sorted(found, key=lambda node: (node.name, node.id))


def service(engine: Client, name: str) -> SwarmService | None:
    """A service by its name; None without one."""
    row = engine.get("services", name)
    if not row:
        return None
    spec, update = row["Spec"], row.get("UpdateStatus") or {}
    labels = spec.get("Labels") or {}
    now, before = version(spec["TaskTemplate"]), row.get("PreviousSpec")
    former = version(before["TaskTemplate"]) if before else None
    return SwarmService(
        id=row["ID"],
        name=spec["Name"],
        version=now,
        before=former if former != now else None,
        update=update.get("State") or "",
        begun=moment(update["StartedAt"]) if update.get("StartedAt") else 0.0,
        about=update.get("Message") or "",
        noted=labels.get(label.STACK_IMAGE) or "",
        ticket=labels.get(label.TICKET) or "",
        created=moment(row["CreatedAt"]),
    )


def tasks(engine: Client, name: str) -> list[Task]:
    """Every task of a service that the swarm remembers, the newest first."""
    found = [
        Task(
            id=row["ID"],
            node=row.get("NodeID") or "",
            state=row["Status"]["State"],
            wanted=row["DesiredState"],
            version=version(row["Spec"]),
            error=row["Status"].get("Err") or "",
            since=moment(row["Status"]["Timestamp"]),
            created=moment(row["CreatedAt"]),
        )
        for row in engine.get("tasks", filters={"service": [name]}) or ()
    ]
    return sorted(found, key=lambda task: task.created, reverse=True)


def ending(engine: Client, service_id: str) -> set[str]:
    """The nodes, by id, on which a container of a service is left that the swarm does not know any more."""
    rows = engine.get("tasks") or ()  # no filter takes a service that is gone
    return {row["NodeID"] for row in rows if row["ServiceID"] == service_id and row["Status"]["State"] in LIVING}


def version(template: Mapping[str, Any]) -> Version:
    """What a task's specification runs."""
    container = template.get("ContainerSpec") or {}
    labels = container.get("Labels") or {}
    image = container.get("Image") or ""
    by_hand = labels.get(label.IMAGE, image) != image  # by `docker service update --image`, which keeps the labels
    tag = "" if by_hand else label.first(labels, label.VERSION)
    _, known, digest = image.rpartition("sha256:")
    return Version(image, labels.get(label.ROLLOUT) or "", tag or (digest[:12] if known else image))
