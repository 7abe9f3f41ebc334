"""What a service looks like before anything is changed: what runs, and whether a switch is under way or was cut off."""

from collections.abc import Sequence

from invoke import Exit
from msgspec import Struct

from ..engine import label
from ..engine.client import Unreachable
from ..engine.records import Container, ContainerRow, ImageRow
from ..host.saying import say
from ..host.text import printable
from . import health, ticket, versions
from .service import Service
from .ticket import Ticket


class Situation(Struct, frozen=True):
    """What is on the engine before a switch: the running versions, and a stopped container that holds the name."""

    running: tuple[ContainerRow, ...]
    holder: ContainerRow | None

    @property
    def old(self) -> tuple[ContainerRow, ...]:
        """Every container that has to make room."""
        return (*self.running, *([self.holder] if self.holder else []))


class Unfinished(Struct, frozen=True):
    """A switch that is under way or, if its run is `gone`, was cut off: its candidate, and the ticket on that."""

    candidate: Container
    ticket: Ticket
    gone: bool


def situation_of(service: Service, containers: Sequence[ContainerRow], known: str = "") -> Situation:
    """The situation that these containers are, which are all on the engine. `known`: as in `Service.versions`.

    Raises:
        Exit: with code 1 when a container that is no version of the frame holds the service's name.
    """
    ours = [found for found in service.own(containers, known) if found.name not in service.temporary]
    holder = next((found for found in containers if found.name == service.name), None)
    if holder and holder not in ours:
        key = service.settings.key(service.frame)
        raise Exit(
            f"The container {holder.name} is not a version of {service.frame.image}, or another service's, and holds "
            "the service's name. "
            f"Rename it ({service.docker('rename', holder.name, 'NAME')}), or change stack.frames.{key}.service.",
            code=1,
        )
    running = tuple(container for container in ours if container.running)
    return Situation(running, holder if holder and not holder.running else None)


def replaceable(service: Service) -> Situation:
    """The situation now, once it is sure that a switch gets the names that it needs.

    Raises:
        Exit: with code 1 when a container that no switch made holds one of them, or as `situation_of` does.
    """
    containers = service.engine.containers()
    for name, kind in ((service.rehearsal, label.REHEARSAL), (service.recovery_lock, label.RECOVERY)):
        if any(one.name == name and one.labels.get(kind) != service.name for one in containers):
            raise foreign(service, name)
    return situation_of(service, containers)


def runs_already(service: Service, image: ImageRow) -> bool:
    """Whether the service runs this very image alone, and no switch is under way; then says so.

    Raises:
        Exit: as `situation_of` does.
    """
    containers = service.engine.containers()
    if service.temporary & {container.name for container in containers}:
        return False
    return tell_if_current(service, situation_of(service, containers, image.id), image)


def tell_if_current(service: Service, situation: Situation, image: ImageRow) -> bool:
    """Whether there is nothing to do, and if so, says it.

    Raises:
        Exit: with code 1 when this image runs, and docker calls it unhealthy.
    """
    found = [(container.image, container.state) for container in situation.running]
    if not image.id or found != [(image.id, "running")]:  # one that is paused, or restarts in a loop, serves nobody
        return False
    running, version = situation.running[0], printable(label.version_of(image.labels, image.id))
    if running.unhealthy and not answers(service, running):
        way = service.next_command("start", "--tag", versions.tag_of(service.frame, image), "--force")
        raise Exit(f"{version} runs as {running.name}, but is unhealthy. To replace the container, type: {way}", code=1)
    say(f"{version} is already running as {running.name}.")
    return True


def foreign(service: Service, name: str) -> Exit:
    """The sentence about a container that no switch made, under a name that a switch needs."""
    way = f"Type: {service.docker('rename', name)} …"
    return Exit(f"The container {name} was not made by a switch, and holds its name. {way}", code=1)


def answers(service: Service, container: ContainerRow) -> bool:
    """Whether a container's health check succeeds now: docker says unhealthy after each pause too, as of a commit."""
    found = service.engine.container(container.id)
    check = found and found.health_check
    return bool(found and check and health.check_once(service.engine, found, check, service.settings.start.timeout)[0])


def unfinished(service: Service) -> Unfinished | None:
    """The switch that is under way or was cut off; None without one.

    Raises:
        Exit: with code 1 when a container that no switch made holds the candidate's name.
    """
    candidate = service.engine.container(service.candidate)
    if not candidate:
        return None
    found = ticket.read(candidate)
    if found is None:
        raise foreign(service, service.candidate)
    return Unfinished(candidate, found, gone(service, candidate, found))


def gone(service: Service, container: Container, theirs: Ticket) -> bool:
    """Whether the run that made a container, and left this ticket on it, is over."""
    return theirs.gone(service.engine.now() - container.created)


def notice(service: Service) -> str:
    """A sentence about an unfinished switch, for tasks that leave the service alone; "" without one."""
    try:
        found = unfinished(service)
    except Unreachable:
        raise
    except Exit as error:
        return error.message or ""
    if not found:
        return ""
    if found.gone:
        way = service.next_command("start")
        return f"A switch of {service.name} to {printable(found.ticket.tag)} was cut off. To recover, type: {way}"
    return f"{found.ticket.who()}. If that run is gone for good, type --take-over with start, stop or rollback."
