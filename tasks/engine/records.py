"""What the engine says of an image and of a container, as records: all that this project reads of it.

There are two of each. A row is what a list of all of them says; the complete record adds what only `docker inspect`
says, one question for each, and is a row too. So a signature shows how much was asked for.
"""

import re
from datetime import datetime
from typing import Any

from msgspec import Struct

from . import label
from .joined import Joined, joined
from .names import called, full_reference


class ImageRow(Struct, frozen=True):
    """An image.

    `reference` is the `repository:tag` under which it was found, else one of its tags, else its id. `tags` are all of
    them, `digests` the `repository@sha256:…` under which a registry knows it; both may be empty. In containerd's store
    each tag's repository has such a digest too. `created` is what its own label says, in seconds since 1970, 0 where it
    says nothing; `size` is in bytes.
    """

    id: str
    reference: str
    labels: dict[str, str]
    created: float = 0.0
    size: int = 0
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        return self.reference.rpartition(":")[2]

    @property
    def by_digest(self) -> bool:
        """Whether it was found under a digest; it has no tag then."""
        return "@" in self.reference


class Image(ImageRow, frozen=True):
    """An image, complete: `layers` from the lowest up, each by the hash of its content; `workdir` is "" for /."""

    layers: tuple[str, ...] = ()
    workdir: str = ""
    health_check: "HealthCheck | None" = None


class Step(Struct, frozen=True):
    """One instruction that an image was made by: its text as the builder notes it, and the bytes that it added."""

    text: str
    size: int


class HealthCheck(Struct, frozen=True):
    """A health check: its command as an argument list, and docker's times for it, in seconds.

    `retries` failures in a row make a healthy container unhealthy.
    """

    command: tuple[str, ...]
    timeout: float = 30.0
    interval: float = 30.0
    retries: int = 3


class ContainerRow(Struct, frozen=True):
    """A container: `image` is the id of the image it was made from, `state` is docker's (running, exited, …).

    `unhealthy` is docker's own verdict of its health check. `published` are the TCP ports of the host that it has now,
    each with the host's address. `network` is docker's NetworkMode. `created` is by the engine's clock, in seconds
    since 1970, in a list without their fractions.
    """

    id: str
    name: str
    image: str
    state: str
    labels: dict[str, str]
    unhealthy: bool = False
    published: tuple[tuple[str, int], ...] = ()
    network: str = ""
    created: float = 0.0

    @property
    def running(self) -> bool:
        """Whether it holds its port and its name, as docker sees it: paused and between two restarts too."""
        return self.state in ("running", "restarting", "paused")


class Container(ContainerRow, frozen=True, kw_only=True):
    """A container, complete.

    `exit_code`, `error` and `out_of_memory` are of its last end. `started` (last) and `finished` are by the engine's
    clock, in seconds since 1970; 0 while there was no such moment. `stop_timeout` are the seconds until
    `docker stop` kills it, None where it does not say. `health` is docker's own verdict (healthy, unhealthy, starting);
    "" without a health check. `pid` is its first process as the engine counts them, 0 while it does not run. `forwards`
    pairs each of the host's TCP ports that it publishes with the container's own.
    """

    exit_code: int
    error: str
    out_of_memory: bool
    started: float
    finished: float
    restarts: int
    restart_policy: str
    restart_retries: int
    auto_remove: bool
    stop_timeout: int | None
    health_check: HealthCheck | None
    health: str = ""
    pid: int = 0
    forwards: tuple[tuple[int, int], ...] = ()
    joined: tuple[Joined, ...] = ()

    @property
    def restart_option(self) -> str:
        """Its restart policy as `docker run --restart` and `docker update --restart` take it; "no" without one."""
        retries = f":{self.restart_retries}" if self.restart_retries else ""
        return f"{self.restart_policy or 'no'}{retries}"

    @property
    def restarts_by_itself(self) -> bool:
        """Whether the engine would start it again after a reboot although it was stopped by hand.

        Source: https://docs.docker.com/engine/containers/start-containers-automatically/
        """
        return self.restart_policy in ("always", "on-failure")


def image_row(row: dict[str, Any]) -> ImageRow:
    """An image from a row of `GET /images/json`."""
    tags, digests = called(row.get("RepoTags"), row.get("RepoDigests"))
    return ImageRow(
        id=row["Id"],
        reference=tags[0] if tags else row["Id"],
        labels=row.get("Labels") or {},
        created=label.created_of(row.get("Labels") or {}),
        size=row["Size"],
        tags=tags,
        digests=digests,
    )


def image(details: dict[str, Any], reference: str) -> Image:
    """An image from `GET /images/{reference}/json`."""
    tags, digests = called(details.get("RepoTags"), details.get("RepoDigests"))
    asked = full_reference(reference)
    config = details.get("Config") or {}  # what no Docker has built may have none
    return Image(
        id=details["Id"],
        reference=next((tag for tag in tags if full_reference(tag) == asked), tags[0] if tags else reference),
        labels=config.get("Labels") or {},
        created=label.created_of(config.get("Labels") or {}),
        size=details["Size"],
        tags=tags,
        digests=digests,
        layers=tuple(details.get("RootFS", {}).get("Layers") or ()),
        workdir=config.get("WorkingDir") or "",
        health_check=health_check(config),
    )


def container_row(row: dict[str, Any]) -> ContainerRow:
    """A container from a row of `GET /containers/json`."""
    names = row["Names"] or ["/"]
    # Another container that was started with --link to it gives it a second name, /OTHER/ALIAS, which may come first.
    name = next((name for name in names if name.count("/") == 1), names[0])
    ports = [port for port in row.get("Ports") or () if port["Type"] == "tcp" and port.get("PublicPort")]
    return ContainerRow(
        id=row["Id"],
        name=name[1:],
        image=row["ImageID"],
        state=row["State"],
        labels=row["Labels"] or {},
        unhealthy=row.get("Status", "").endswith("(unhealthy)"),
        published=tuple((port.get("IP", ""), port["PublicPort"]) for port in ports),
        network=(row.get("HostConfig") or {}).get("NetworkMode") or "",
        created=float(row.get("Created") or 0),
    )


def container(details: dict[str, Any]) -> Container:
    """A container from `GET /containers/{name}/json`."""
    state, config, host = details["State"], details["Config"], details["HostConfig"]
    restart = host.get("RestartPolicy") or {}
    verdict = ((state.get("Health") or {}).get("Status") or "").replace("none", "")
    ports = [
        (int(inside.partition("/")[0]), host_side["HostIp"], int(host_side["HostPort"]))
        for inside, host_sides in (details.get("NetworkSettings", {}).get("Ports") or {}).items()
        if inside.endswith("/tcp")
        for host_side in host_sides or ()
    ]
    return Container(
        id=details["Id"],
        name=details["Name"][1:],
        image=details["Image"],
        state=state["Status"],
        labels=config.get("Labels") or {},
        exit_code=state["ExitCode"],
        error=state.get("Error") or "",
        out_of_memory=bool(state.get("OOMKilled")),
        created=moment(details["Created"]),
        started=max(moment(state["StartedAt"]), 0.0),  # the engine says the year 1 where there was none yet
        finished=max(moment(state["FinishedAt"]), 0.0),
        restarts=details.get("RestartCount") or 0,
        restart_policy=restart.get("Name") or "",
        restart_retries=restart.get("MaximumRetryCount") or 0,
        auto_remove=bool(host.get("AutoRemove")),
        stop_timeout=config.get("StopTimeout"),
        health_check=health_check(config),
        health=verdict,
        unhealthy=verdict == "unhealthy",
        network=host.get("NetworkMode") or "",
        published=tuple((address, at) for _, address, at in ports),
        pid=state.get("Pid") or 0,
        forwards=tuple((at, inside) for inside, _, at in ports),
        joined=tuple(joined(details, host.get("NetworkMode") or "")),
    )


def health_check(config: dict[str, Any]) -> HealthCheck | None:
    """A container's health check, or an image's; None if it has none. What it leaves at 0 is docker's default.

    Source: https://docs.docker.com/reference/api/engine/, HealthConfig: times in nanoseconds.
    """
    found = config.get("Healthcheck") or {}
    kind, *words = found.get("Test") or [""]
    if kind not in ("CMD", "CMD-SHELL"):
        return None
    given = {name.lower(): found[name] / 1e9 for name in ("Timeout", "Interval") if found.get(name)}
    if found.get("Retries"):
        given["retries"] = found["Retries"]
    shell = config.get("Shell") or ["/bin/sh", "-c"]
    return HealthCheck((*(shell if kind == "CMD-SHELL" else ()), *words), **given)


def moment(text: str) -> float:
    """The engine's RFC 3339 times, such as 2019-08-30T14:46:20.123456789Z, in seconds since 1970."""
    head, fraction, zone = re.fullmatch(r"([^.Z+]+?)(\.\d+)?(Z|[+-]\d\d:\d\d)", text).groups()  # type: ignore[union-attr]
    return datetime.fromisoformat(head + zone.replace("Z", "+00:00")).timestamp() + float(fraction or 0)
