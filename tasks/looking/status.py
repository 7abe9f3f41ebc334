"""What there is of a service now: what runs, or what ended; an unfinished switch; whether all is well."""

from collections.abc import Sequence

from invoke import Exit
from msgspec import Struct

from ..engine import label
from ..engine.client import Unreachable
from ..engine.records import ContainerRow
from ..host import document
from ..service.service import Service
from ..service.situation import notice, situation_of, unfinished
from . import running
from .running import NOTHING_RUNS, Running


class Stopped(Struct, frozen=True):
    """The service's container where nothing runs, and how it ended; `finished` is None where it never ran."""

    container: str
    tag: str
    exit_code: int
    error: str | None
    finished: str | None


class Switch(Struct, frozen=True):
    """A switch that is not finished: who started it and when, to which tag, and whether its run is gone."""

    by: str
    to: str
    since: str | None
    cut_off: bool


class Weights(Struct, frozen=True):
    """The server of pretrained weights: its container, docker's state of that, and its port."""

    container: str
    state: str
    port: int


class Status(Struct, frozen=True):
    """A service now.

    `healthy` says whether the exit code is 0, `troubles` what stands against it. `notice` is a sentence about what is
    unfinished, or in the way. `stopped` is there only where nothing runs.
    """

    service: str
    healthy: bool
    troubles: tuple[str, ...]
    running: Running | None
    stopped: Stopped | None
    switch: Switch | None
    notice: str | None
    weights: Weights | None

    @property
    def exit_code(self) -> int:
        return NOTHING_RUNS if self.running is None else int(not self.healthy)


def report(service: Service) -> Status:
    """Ask all there is to ask: in a number of questions that does not grow with what else is on the engine."""
    containers = service.engine.containers()
    mine = service.own(containers)
    container, also = running.serving(service, mine)
    found = running.described(service, container, containers, also) if container else None
    troubles = running.troubles(found) if found else []
    return Status(
        service=service.name,
        healthy=found is not None and not troubles,
        troubles=tuple(troubles),
        running=found,
        stopped=None if found else stopped(service, mine),
        switch=switch(service),
        notice=notice(service) or stranger(service, containers) or None,
        weights=weights(service, containers),
    )


def stopped(service: Service, mine: Sequence[ContainerRow]) -> Stopped | None:
    """The service's container that does not run; None without one."""
    row = next((one for one in mine if one.name == service.name), None)
    found = service.engine.container(row.id) if row else None
    if not found:
        return None
    tag = label.version_of(found.labels, found.image)
    return Stopped(found.name, tag, found.exit_code, found.error or None, document.moment(found.finished))


def switch(service: Service) -> Switch | None:
    """The switch that is not finished; None without one, or where a container that no switch made has its name."""
    try:
        found = unfinished(service)
    except Unreachable:
        raise
    except Exit:
        return None
    if not found:
        return None
    return Switch(found.ticket.by, found.ticket.tag, document.moment(found.ticket.since), found.gone)


def stranger(service: Service, containers: Sequence[ContainerRow]) -> str:
    """A sentence about a container that has the service's name and is not its own; "" without one."""
    try:
        situation_of(service, containers)
    except Unreachable:
        raise
    except Exit as error:
        return error.message or ""
    return ""


def weights(service: Service, containers: Sequence[ContainerRow]) -> Weights | None:
    """The server of the pretrained weights that `inv weights` made; None without one."""
    wanted = service.settings.weights
    found = next((one for one in containers if one.name == wanted.service and label.WEIGHTS in one.labels), None)
    return Weights(found.name, found.state, wanted.port) if found else None
