"""The switch: replace the version that runs by another, or leave everything as it was.

Until the new version is healthy, the old one can come back exactly as it was. The steps: create the candidate (which is
the lock too), rehearse it, stop the old version, start the candidate and wait for its health, and last the names.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke import Context, Exit
from msgspec import Struct

from ..engine import commands, label
from ..engine.client import Unreachable
from ..engine.engine import Engine
from ..engine.records import ContainerRow, ImageRow
from ..host import port, progress, shell
from ..settings.model import Frame, Settings
from . import health, recovery, ticket
from . import versions as service
from .recovery import Door
from .ticket import Ticket
from .versions import NEXT, REHEARSAL

if TYPE_CHECKING:
    from ..recommended.command import Recommended

SLACK = 120.0  # seconds for all that a switch does besides waiting
LOG_COLUMNS = 500
LOG_LINES = 30


class Order(Struct, frozen=True):
    """What was asked for: start `image` as `recommended` says, with or without a rehearsal; `wait` in seconds."""

    settings: Settings
    frame: Frame
    image: ImageRow
    recommended: "Recommended"
    rehearse: bool = True
    force: bool = False
    wait: float = 0.0

    @property
    def service(self) -> str:
        return self.frame.service

    @property
    def tag(self) -> str:
        return service.tag_of(self.frame, self.image)

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of the host that the service takes."""
        return self.recommended.ports() or (self.frame.port,)


class Situation(Struct, frozen=True):
    """What is on the engine before a switch: the running versions, and a stopped container that holds the name."""

    running: tuple[ContainerRow, ...]
    holder: ContainerRow | None

    @property
    def old(self) -> tuple[ContainerRow, ...]:
        """Every container that has to make room."""
        return (*self.running, *([self.holder] if self.holder else []))


def look(docker: Engine, frame: Frame) -> Situation:
    """Look at the engine.

    Raises:
        Exit: with code 1 when a container that is no version of this frame holds the service's name, or one that
            would be deleted by stopping it runs.
    """
    situation = seen(docker, frame, docker.containers())
    for container in situation.running:
        if docker.container(container.id).get("HostConfig", {}).get("AutoRemove"):
            raise Exit(
                f"{container.name} was started with --rm: stopping it would delete it, and it could not come back. "
                f"Type: docker stop {container.name}, then the same again.",
                code=1,
            )
    return situation


def seen(docker: Engine, frame: Frame, containers: Sequence[ContainerRow], known: str = "") -> Situation:
    """The situation that these containers are, which are all on the engine. `known`: as in `service.versions`.

    Raises:
        Exit: with code 1 when a container that is no version of this frame holds the service's name.
    """
    special = service.passing(frame)
    ours = [found for found in service.versions(docker, frame, containers, known) if found.name not in special]
    holder = next((found for found in containers if found.name == frame.service), None)
    if holder and holder not in ours:
        raise Exit(
            f"The container {holder.name} is not a version of {frame.image}, and holds the service's name. "
            f"Rename it (docker rename {holder.name} NAME), or change the setting service.",
            code=1,
        )
    running = tuple(container for container in ours if container.running)
    return Situation(running, holder if holder and not holder.running else None)


def runs_already(docker: Engine, frame: Frame, image: ImageRow) -> bool:
    """Whether the service runs this very image alone, and no switch is under way; then says so.

    Raises:
        Exit: as `seen` does.
    """
    containers = docker.containers()
    if service.passing(frame) & {container.name for container in containers}:
        return False
    return says_current(seen(docker, frame, containers, image.id), image)


def says_current(situation: Situation, image: ImageRow) -> bool:
    """Whether there is nothing to do, and if so, says it."""
    found = [(container.image, container.state) for container in situation.running]
    if not image.id or found != [(image.id, "running")]:  # one that is paused, or restarts in a loop, serves nobody
        return False
    print(f"{label.version_of(image.labels, image.id)} is already running as {situation.running[0].name}.")
    return True


def perform(c: Context, docker: Engine, order: Order) -> None:
    """Switch to the ordered version, or say that it already runs.

    Raises:
        Exit: with code 1 when another run is switching, or the new version fails (the old one runs again then);
            with code 130 when the person says stop.
    """
    give_up = time.monotonic() + order.wait
    mine = None
    while not mine:
        recovery.recover(c, docker, order.settings, order.frame)
        if not c.config.run.dry and busy(docker, order.frame, give_up):
            continue  # its run may have been killed
        situation = look(docker, order.frame)
        if not order.force and says_current(situation, order.image):
            return
        check_ports(docker, order, situation)
        mine = take(c, docker, order, situation)
    silent = replace(c, docker, order, situation, mine)
    report(c, order, situation, silent)
    prune(c, docker, order, situation)


def take(c: Context, docker: Engine, order: Order, situation: Situation) -> Ticket | None:
    """Create the candidate, which locks the service.

    Returns:
        This run's ticket; None when the engine changed meanwhile, and the caller should look again.

    Raises:
        Exit: with code 1 when the candidate cannot be created.
    """
    name = order.service + NEXT
    start = order.settings.start
    stopping = sum(recovery.stop_within(docker.container(container.id)) for container in situation.old)
    limit = 3 * (start.timeout + start.settle) + stopping + SLACK
    mine = ticket.write(order.tag, situation.old, limit)
    words = order.recommended
    labels = {label.SERVICE: order.service, label.TICKET: mine.text()}
    do = recovery.door(c, docker)
    try:
        creating = commands.create(name, order.image.reference, words.arguments(), words.command, labels)
        do(creating, f"{order.tag} cannot be created.")
        if c.config.run.dry:
            return mine
        created = docker.container(name)
        same = ticket.held(look(docker, order.frame).old) == mine.old
    except BaseException as error:
        shell.survive()
        if isinstance(error, shell.Failed) and recovery.was_faster(docker, name, error):
            return None
        if ticket.read(docker.container(name)) == mine:
            do(commands.remove(name, force=True), f"{name} cannot be removed.")
        raise Exit(f"{shell.reason(error)} Nothing was changed.", code=shell.exit_code(error)) from None
    if created.get("Image") == order.image.id and same:
        return mine
    do(commands.remove(name, force=True), f"{name} cannot be removed.")
    if not same:
        return None
    raise Exit(
        f"{order.image.reference} was built anew in this moment. Nothing was changed; type the same again.", code=1
    )


def busy(docker: Engine, frame: Frame, give_up: float) -> bool:
    """Whether another run's switch was in the way and is over now.

    Args:
        give_up: when to stop waiting for it, on the monotonic clock.

    Raises:
        Exit: with code 1, saying who is switching, when it is not over in time.
    """
    waited = False
    while found := recovery.unfinished(docker, frame):
        _, theirs, gone = found
        if gone:
            return True
        if time.monotonic() >= give_up:
            raise Exit(f"{theirs.who()}. Nothing was changed. To wait for it, type --wait SECONDS.", code=1)
        if not waited:
            print(f"{theirs.who()}; waiting.", flush=True)
        waited = True
        time.sleep(recovery.POLL)
    return waited


def replace(c: Context, docker: Engine, order: Order, situation: Situation, mine: Ticket) -> int | None:
    """The steps between the lock and the names.

    Returns:
        For how many milliseconds the port was silent; None where that could not be measured.
    """
    name = order.service + NEXT
    do = recovery.door(c, docker)
    seen = "the candidate was created; the old version runs"
    try:
        if situation.running and order.rehearse:
            rehearse(c, do, docker, order)
        with port.Silence(docker.endpoint.published_on, order.ports[0]) as silence:
            for container in situation.running:
                seen = f"{container.name} was being stopped"
                do(commands.stop(container.name), f"{container.name} cannot be stopped.")
            seen = "the old version was stopped, the candidate was being started"
            do(commands.start(name), f"{order.tag} cannot be started.")
            if not c.config.run.dry:
                healthy(docker, order, name)
    except BaseException as error:
        shell.survive()
        undo(c, docker, order, mine, error, seen, recovery.go_back)
    names(c, do, docker, order, situation, mine)
    return silence.milliseconds


def rehearse(c: Context, do: Door, docker: Engine, order: Order) -> None:
    """Start the same command in a network of its own, until its health check says healthy; then remove it.

    Raises:
        Exit: with code 1 and the reason, when it does not become healthy.
    """
    name = order.service + REHEARSAL
    words = order.recommended.without("restart", "network", "publish", "network-alias", "ip", "ip6", "mac-address")
    labels = {label.REHEARSAL: order.service}
    options = ["--network=none", *words.arguments()]
    leftover = {} if c.config.run.dry else docker.container(name)
    if leftover:
        do(commands.remove(leftover["Id"], force=True), f"{name} cannot be removed.")
    try:
        do(
            commands.create(name, order.image.reference, options, words.command, labels),
            "The rehearsal cannot be created.",
        )
        do(commands.start(name), "The rehearsal cannot be started.")
        if not c.config.run.dry:
            healthy(docker, order, name)
    except Unreachable:
        raise
    except Exit as error:
        advice = "If this service cannot run twice at a time, type --no-rehearsal."
        raise Exit(f"In the rehearsal: {error.message} {advice}", code=1) from None
    do(commands.remove(name, force=True), f"{name} cannot be removed.")


def healthy(docker: Engine, order: Order, name: str) -> None:
    """Wait until a container is healthy; if it does not become so, show its last words.

    Raises:
        Exit: with code 1 and the reason.
    """
    start = order.settings.start
    with progress.waiting(name) as tell:
        trouble = health.wait(docker, name, start.timeout, start.settle, tell)
    if trouble:
        for line in docker.log(name, LOG_LINES):
            print(f"{name} | {service.printable(line[:LOG_COLUMNS])}", flush=True)
        raise Exit(f"{order.tag} {service.printable(trouble)}.", code=1)


def undo(
    c: Context, docker: Engine, order: Order, mine: Ticket, error: BaseException, seen: str, way: recovery.Way
) -> None:  # fmt: skip
    """Go back to what was before, and end.

    Args:
        seen: the state that the engine was last seen in.
        way: how: `recovery.go_back`, or `recovery.end` once the candidate is healthy.

    Raises:
        Exit: always; with code 130 if the person said stop, else 1.
    """
    said = shell.reason(error)
    try:
        candidate = docker.container(order.service + NEXT)
        if candidate and ticket.read(candidate) != mine:
            raise Exit("Another run has taken over.", code=1)
        print(f"{said} Going back.", flush=True)
        now = way(c, docker, order.settings.start, order.service, mine)
    except Exit as second:
        why = said if isinstance(error, Unreachable) else f"{said} {second.message}"
        raise Exit(f"{why.rstrip('.')}. Last seen: {seen}. The next inv start recovers.", code=1) from None
    except KeyboardInterrupt:
        raise Exit(f"Stopped while going back. Last seen: {seen}. The next inv start recovers.", code=130) from None
    raise Exit(f"{said} {now}", code=shell.exit_code(error))


def names(c: Context, do: Door, docker: Engine, order: Order, situation: Situation, mine: Ticket) -> None:
    """The last step: the old containers get their kept names, the candidate gets the service's.

    The new version is healthy now, so an interrupt comes too late: the names are finished all the same.
    """
    try:
        recovery.settle_names(do, docker, order.service, mine)
    except KeyboardInterrupt:
        if docker.container(order.service + NEXT):
            recovery.settle_names(do, docker, order.service, mine)
        raise Exit(f"Stopped too late: {order.tag} is healthy and runs as {order.service}.", code=130) from None
    except Exit as error:
        undo(c, docker, order, mine, error, f"{order.tag} is healthy, the names were being changed", recovery.end)


def check_ports(docker: Engine, order: Order, situation: Situation) -> None:
    """Refuse while a stranger holds the service's port, before anything is touched.

    Raises:
        Exit: with code 1, naming the process where that is known.
    """
    if not docker.endpoint.local:
        return
    ids = tuple(container.id for container in situation.running)
    for number in order.ports:
        if not port.stranger(number, ids):
            continue
        ids = tuple(container.id for container in service.running(docker, order.frame))  # one may have come meanwhile
        if stranger := port.stranger(number, ids):
            what = f"Port {number} is held by {stranger}, which is no version of {order.frame.image}."
            raise Exit(f"{what} Stop it first.", code=1)


def prune(c: Context, docker: Engine, order: Order, situation: Situation) -> None:
    """Remove the kept containers beyond `start.keep`, oldest first. The switch is over, so a failure is a warning."""
    do = recovery.door(c, docker)
    kept = [container.name for container in service.kept(docker, order.frame)]
    if c.config.run.dry:  # nothing was renamed, so those that would have been are not among them yet
        taken = {container.name for container in docker.containers()}
        kept = [*(service.kept_name(order.service, container, taken) for container in situation.old), *kept]
    for name in kept[order.settings.start.keep :]:
        try:
            do(commands.remove(name), f"{name} cannot be removed.")
        except Exit as error:
            print(f"Warning: {error.message}", flush=True)


def report(c: Context, order: Order, situation: Situation, silent: int | None) -> None:
    """Say which version runs now, which one before, and for how long the port was silent."""
    if c.config.run.dry:
        return
    before = ", ".join(label.version_of(container.labels, container.image) for container in situation.running)
    parts: Sequence[str] = [f"{order.tag} runs as {order.service}"]
    if before:
        parts = [*parts, f"before: {before}"]
        parts = [*parts, f"port {order.ports[0]} was silent for {silent} ms"] if silent is not None else parts
    print("; ".join(parts) + ".", flush=True)
