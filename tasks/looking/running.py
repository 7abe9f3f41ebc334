"""The container that serves: which version it runs, from which commit, and whether all is well with it."""

from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from ..engine import label
from ..engine.names import valid_tag
from ..engine.records import Container, ContainerRow, Image
from ..host import document, port
from ..host.text import brief
from ..service import health, ticket, versions, whose
from ..service.service import Service
from . import drift, gpu, source
from .drift import Drift
from .gpu import Gpu
from .source import Ahead

NOTHING_RUNS = 3  # exit code of the tasks that only look
ANSWER_WITHIN = 2.0  # seconds
LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # of an address that takes every one

Meaning = Literal["this", "another", "nothing"]


class Base(Struct, frozen=True):
    """The image that a version stands on: the name that it had then, its id, and what that name means by now."""

    name: str
    id: str
    name_means: Meaning


class Port(Struct, frozen=True):
    """The service's port. `answers` is None where that cannot be told from here."""

    number: int
    answers: bool | None


class Running(Struct, frozen=True):
    """The container that serves.

    `state` is docker's. `since` and `built` are in ISO 8601. `started_by` is user@host, None where no switch made it.
    `health` is healthy, starting or unhealthy, None without a health check. `tag` is what the `image` was built under,
    `tag_means` whether that means this very image by now. `base` is None where the image names none, `port` where the
    service has none, `gpu` where it runs without a GPU runtime. `others` counts the running containers of this image
    that are not the service's; `also` names more of the service's own.
    """

    container: str
    id: str
    state: str
    since: str | None
    started_by: str | None
    health: str | None
    restarts: int
    tag: str
    tag_means: Meaning
    image: str
    built: str | None
    commit: str | None
    branch: str | None
    dirty: bool | None
    base: Base | None
    port: Port | None
    gpu: Gpu | None
    source: Ahead
    drift: Drift
    others: int
    also: tuple[str, ...]


def serving(service: Service, mine: Sequence[ContainerRow]) -> tuple[Container | None, tuple[str, ...]]:
    """The container that serves, and the names of the service's others that run.

    It has the service's name, or was started by hand under another one; a candidate that runs alone may serve already.
    """
    running = [one for one in mine if one.running and one.name not in (service.rehearsal, service.recovery_lock)]
    running.sort(key=lambda one: (one.name != service.name, one.name in service.temporary))
    found = service.engine.container(running[0].id) if running else None
    return found, tuple(one.name for one in running[1:])


def described(
    service: Service, container: Container, containers: Sequence[ContainerRow], also: tuple[str, ...]
) -> Running:
    """All that is known of the container that serves. `containers` are all on the engine."""
    engine, frame = service.engine, service.frame
    image = engine.image(container.image)
    labels = image.labels if image else container.labels
    tag = label.version_of(labels, container.image)
    if image and not label.first(labels, label.VERSION):
        tag = versions.tag_of(frame, image)
    real = engine.run_options(container.id)
    by = ticket.read(container) if container.id in whose.by_switch(engine, [container]) else None
    mine = {service.name, *also}
    folder = service.settings.path(frame.source or service.settings.source)
    return Running(
        container=container.name,
        id=container.id,
        state=container.state,
        since=document.moment(container.started),
        started_by=by.by if by else None,
        health=verdict(service, container),
        restarts=container.restarts,
        tag=tag,
        tag_means=meaning(service, f"{frame.image}:{tag}" if valid_tag(tag) else "", container.image),
        image=container.image,
        built=document.moment(label.created_of(labels)),
        commit=label.commit_of(labels) or None,
        branch=label.branch_of(labels) or None,
        dirty=label.is_dirty(labels),
        base=base_of(service, image),
        port=port_of(service, container),
        gpu=gpu.gpu(service.c, engine, container, real),
        source=source.ahead(service.c, folder, image),
        drift=drift.drift(service, container, image, real),
        others=sum(others(service, one, container, mine) for one in containers),
        also=also,
    )


def others(service: Service, one: ContainerRow, container: Container, mine: set[str]) -> bool:
    """Whether a container runs from the same image as the service's, and is somebody's own."""
    known = {*mine, container.name, *service.temporary}
    return one.running and one.image == container.image and one.name not in known


def meaning(service: Service, reference: str, image: str) -> Meaning:
    """What a name means by now: the image with this id, another one, or nothing."""
    found = service.engine.image(reference) if reference else None
    return "nothing" if found is None else "this" if found.id == image else "another"


def base_of(service: Service, image: Image | None) -> Base | None:
    """The base that an image says it stands on; None if it does not say."""
    below = label.base_of(image.labels) if image else ""
    if not image or not below:
        return None
    name = label.first(image.labels, label.OCI + "base.name")
    present = f"{service.settings.base.image}:latest"
    return Base(name or present, below, meaning(service, present, below))


def verdict(service: Service, container: Container) -> str | None:
    """How a container's health is: docker's word if that is good, else its health check, asked anew.

    Docker asks seldom: it calls a container unhealthy after each pause of the engine, and starting for long.
    """
    check = container.health_check
    if not check or container.state != "running":
        return container.health or None
    if container.health == "healthy" or health.check_once(service.engine, container, check, check.timeout)[0]:
        return "healthy"
    return container.health or "unhealthy"


def port_of(service: Service, container: Container) -> Port | None:
    """The service's port, and whether something accepts connections there."""
    number = service.frame.port
    published = {at: address for address, at in container.published}
    if container.network != "host":
        number = number if number in published else next(iter(published), number)
    if number is None:
        return None
    if container.network != "host" and number not in published:
        return Port(number, None)
    engine = service.engine
    if not engine.endpoint.local:
        host = urlsplit(engine.endpoint.host).hostname or ""
        return Port(number, port.answers(host, number, ANSWER_WITHIN) or None)
    address = published.get(number, "") if container.network != "host" else ""
    if port.answers(LOOPBACK.get(address, address), number, ANSWER_WITHIN):
        return Port(number, True)
    if not engine.shares_files:
        return Port(number, None)
    listening = {one.address for one in port.listeners(number)}  # it may listen at one address alone
    found = any(port.answers(LOOPBACK.get(at, at), number, ANSWER_WITHIN) for at in listening)
    return Port(number, found)


def troubles(running: Running) -> list[str]:
    """What is wrong with the container that serves, each as the end of a sentence."""
    found = []
    if running.state != "running":
        found.append(f"it is {running.state}")
    if running.health not in (None, "healthy"):
        found.append(f"its health check says {running.health}")
    if running.port and running.port.answers is False:
        found.append(f"port {running.port.number} does not answer")
    if running.gpu and running.gpu.state == "lost":
        found.append(f"it has lost its GPU ({brief(running.gpu.why)})")
    return found
