"""Going back from a switch, or finishing it: after a failure, and after a run whose process is gone.

Everything is read from the engine: the candidate `<service>.next`, its ticket, and the state and names of the
containers that the ticket lists. A switch renames the old containers only once the candidate is healthy; so:

- none of them is renamed: go back to them;
- one of them is renamed, or there is none (any more) and the candidate runs: finish.

The candidate's name is the lock of a service, and whoever goes back or finishes lets go of it last. Two runs that find
the same left-over are kept apart by a second lock, `<service>.recovery`, which does nothing but exist.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from invoke import Context, Exit

from ..engine import commands, label
from ..engine.client import Unreachable
from ..engine.engine import Engine
from ..engine.records import ContainerRow, moment
from ..host import progress, signals
from ..host.shell import Failed, run
from ..settings.model import Frame, Settings, Start
from ..settings.this_run import next_command
from . import health, ticket
from . import versions as service
from .ticket import Held, Ticket
from .versions import NEXT, RECOVERY, REHEARSAL

Door = Callable[[Sequence[str], str], object]  # takes a command and the sentence for its failure
Way = Callable[[Context, Engine, Start, str, Ticket], str]  # one that ends a switch, and says how
POLL = 0.2  # seconds between two looks at a lock that another run holds
STOP_WITHIN = 10.0  # seconds, docker's own default before it kills
RECOVERY_LIMIT = 600.0  # seconds that a recovery may take at most
SEEN_WITHIN = 2.0  # seconds, of a container that another run is creating
REMOVED_WITHIN = 5.0  # seconds, of a container that another run is removing
KILLED_WITHIN = 10.0  # seconds between the engine's SIGKILL and the end of a container


def unfinished(docker: Engine, frame: Frame) -> tuple[dict[str, Any], Ticket, bool] | None:
    """The switch that is under way or was left over.

    Returns:
        What docker says of its candidate, its ticket, and whether its run is gone; None without a switch.

    Raises:
        Exit: with code 1 when a container that no switch made holds the candidate's name.
    """
    details = docker.container(frame.service + NEXT)
    if not details:
        return None
    found = ticket.read(details)
    if found is None:
        name = frame.service + NEXT
        raise Exit(
            f"The container {name} was not made by a switch, and holds its name. Type: docker rename {name} …", code=1
        )
    return details, found, found.gone(docker.age(details))


def notice(c: Context, docker: Engine, frame: Frame) -> str:
    """A sentence about an unfinished switch, for tasks that only look; "" without one."""
    try:
        found = unfinished(docker, frame)
    except Unreachable:
        raise
    except Exit as error:
        return error.message or ""
    if not found:
        return ""
    _, theirs, gone = found
    if gone:
        tag = service.printable(theirs.tag)
        return f"A switch of {frame.service} to {tag} was cut off. To recover, type: {next_command(c, frame, 'start')}"
    return f"{theirs.who()}."


def recover(c: Context, docker: Engine, settings: Settings, frame: Frame) -> None:
    """Go back from, or finish, a switch whose run is gone. A switch that is under way is left alone.

    Raises:
        Exit: with code 1 when that fails.
    """
    said = False
    while found := unfinished(docker, frame):
        details, theirs, gone = found
        if not gone:
            return
        if not said:
            print(service.printable(f"A switch to {theirs.tag} by {theirs.by} was cut off: recovering."), flush=True)
        said = True
        if c.config.run.dry:
            return
        lock = lock_recovery(c, docker, frame, details)
        if not lock:
            time.sleep(POLL)
            continue
        try:
            again = docker.container(frame.service + NEXT)
            if again.get("Id") == details["Id"]:
                print(service.printable(end(c, docker, settings.start, frame.service, theirs)), flush=True)
        finally:
            take_away(door(c, docker), docker, lock)
    if not c.config.run.dry:
        clear_lock(c, docker, frame)


def clear_lock(c: Context, docker: Engine, frame: Frame) -> bool:
    """Whether the second lock is free. One whose run is gone is removed, by its id: never a newer one."""
    holder = docker.container(frame.service + RECOVERY)
    theirs = ticket.read(holder)
    if holder and (theirs is None or theirs.gone(docker.age(holder))):
        take_away(door(c, docker), docker, holder["Id"])
        return True
    return not holder


def take_away(do: Door, docker: Engine, container: str) -> None:
    """Remove a container. That another run was faster is no failure."""
    try:
        do(commands.remove(container, force=True), f"{container} cannot be removed.")
    except Exit:
        give_up = time.monotonic() + REMOVED_WITHIN
        while docker.container(container):
            if time.monotonic() > give_up:
                raise
            time.sleep(POLL)


def lock_recovery(c: Context, docker: Engine, frame: Frame, candidate: dict[str, Any]) -> str:
    """Take the second lock: its name, or "" while another run holds it.

    Raises:
        Exit: with code 1 when the engine does not let it be taken.
    """
    name = frame.service + RECOVERY
    do = door(c, docker)
    if not clear_lock(c, docker, frame):
        return ""
    labels = {label.TICKET: ticket.write("recovery", (), RECOVERY_LIMIT).text()}
    image = next((image for image in (candidate["Image"], *docker.image_ids()) if docker.image(image)), "")
    try:
        do(commands.create(name, image, ["--network=none"], ["true"], labels), f"{name} cannot be created.")
    except Failed as error:
        if was_faster(docker, name, error):
            return ""
        raise
    return name


def was_faster(docker: Engine, name: str, error: Failed) -> bool:
    """Whether a container could not be created because another run has just done so. Waits until it can be seen.

    The engine takes a name at once and shows its container only when it is complete.
    """
    if f'"/{name}" is already in use' not in error.stderr:
        return False
    give_up = time.monotonic() + SEEN_WITHIN
    while not docker.container(name) and time.monotonic() < give_up:
        time.sleep(POLL / 4)
    return True


def end(c: Context, docker: Engine, start: Start, name: str, theirs: Ticket) -> str:
    """Finish a switch if its candidate was found healthy, else go back. Returns the sentence that says which."""
    names = {held.id: docker.container(held.id).get("Name", "")[1:] for held in theirs.old}
    renamed = any(names[held.id] not in ("", held.name) for held in theirs.old)
    runs = docker.container(name + NEXT).get("State", {}).get("Running", False)
    if (renamed or (runs and not any(names.values()))) and not finish(c, docker, start, name, theirs):
        return f"{theirs.tag} runs."
    return go_back(c, docker, start, name, theirs)


def finish(c: Context, docker: Engine, start: Start, name: str, theirs: Ticket) -> str:
    """Bring a switch to its end: the candidate healthy and under the service's name. Returns what is wrong, or ""."""
    do = door(c, docker)
    stop_old(do, docker, theirs)
    revive(do, docker, name + NEXT, f"{name + NEXT} cannot be started.")
    with progress.waiting(f"{theirs.tag}") as tell:
        if trouble := health.wait(docker, name + NEXT, start.timeout, start.settle, tell):
            print(f"{theirs.tag} {trouble}.", flush=True)
            return trouble
    settle_names(do, docker, name, theirs)
    return ""


def revive(do: Door, docker: Engine, name: str, failed: str) -> bool:
    """Start a container unless it runs; one that the engine tries to start again and again does not. Whether it did."""
    details = docker.container(name)
    state = details.get("State", {})
    if state.get("Restarting"):
        do(commands.stop(name), failed)
    elif state.get("Running"):
        return False
    do(commands.start(name), failed)
    return True


def stop_old(do: Door, docker: Engine, theirs: Ticket) -> None:
    """Stop the containers that a switch replaces, as far as they run."""
    for held in theirs.old:
        details = docker.container(held.id)
        if details.get("State", {}).get("Running"):
            do(commands.stop(details["Name"][1:]), f"{held.name} cannot be stopped.")


def settle_names(do: Door, docker: Engine, name: str, theirs: Ticket) -> None:
    """Give the old containers their kept names, and the candidate the service's. What is renamed already stays."""
    containers = {container.id[:12]: container for container in docker.containers()}
    taken = {container.name for container in containers.values()}
    for held in theirs.old:
        container = containers.get(held.id)
        if container and container.name == held.name:
            kept = service.kept_name(name, container, taken)
            taken.add(kept)
            do(commands.rename(container.name, kept), f"{container.name} cannot be renamed.")
        if container:
            stay_down(do, docker, container)
    do(commands.rename(name + NEXT, name), f"{name + NEXT} runs, but cannot be renamed.")


def stay_down(do: Door, docker: Engine, container: ContainerRow) -> None:
    """Keep a reboot from starting a container of an earlier version, which would fight for the port."""
    if docker.restarts_by_itself(container.id):
        try:
            do(commands.no_restart(container.id[:12]), f"A reboot will start {container.name} too.")
        except Exit as error:
            print(f"Warning: {error.message}", flush=True)


def go_back(c: Context, docker: Engine, start: Start, name: str, theirs: Ticket) -> str:
    """Remove the candidate and bring the old containers back as they were. Returns the sentence that says so.

    An old container that does not come back is named in the sentence; the lock is let go all the same, so that another
    version can be started.
    """
    do = door(c, docker)
    candidate = docker.container(name + NEXT)  # {} if somebody removed it by hand
    if docker.container(name + REHEARSAL):
        take_away(do, docker, name + REHEARSAL)
    if candidate.get("State", {}).get("Running"):
        with suppress(Exit):  # removed in this moment, or not to be stopped: the old ones come first in any case
            do(commands.stop(name + NEXT, seconds=1), f"{name + NEXT} cannot be stopped.")
    since = moment(candidate["Created"]) if candidate else theirs.since
    troubles = [bring_back(do, docker, start, held, since) for held in theirs.old]
    if candidate:
        take_away(do, docker, name + NEXT)
    if any(troubles):
        return " ".join(trouble for trouble in troubles if trouble)
    running = [docker.container(held.id) for held in theirs.old if held.running]
    versions = [label.version_of(details["Config"]["Labels"], details["Image"]) for details in running if details]
    return f"{', '.join(versions)} runs as before." if versions else "No version runs, as before."


def bring_back(do: Door, docker: Engine, start: Start, held: Held, since: float) -> str:
    """Give one old container its name and its state back, and wait until it is healthy. Returns what is wrong, or "".

    Args:
        since: when the switch began, by the engine's clock in seconds since 1970.
    """
    details = docker.container(held.id)
    if not details:
        return f"{held.name}, which ran before, is gone." if held.running else ""
    name = details["Name"][1:]
    try:
        if name != held.name and not docker.container(held.name):
            do(commands.rename(name, held.name), f"{name} cannot get its name {held.name} back.")
            name = held.name
        if not held.running:
            return ""
        await_stop(docker, details, since)
        if not revive(do, docker, name, f"{name} cannot be started again."):
            return ""
        with progress.waiting(f"{name} comes back") as tell:
            trouble = health.wait(docker, held.id, start.timeout, 0, tell)
    except Exit as error:
        return f"{error.message} See: docker logs {name}"
    return f"{name}, which ran before, {trouble}. See: docker logs {name}" if trouble else ""


def stop_within(details: dict[str, Any]) -> float:
    """How many seconds a container may take to stop."""
    return float(details.get("Config", {}).get("StopTimeout") or STOP_WITHIN) + KILLED_WITHIN


def await_stop(docker: Engine, details: dict[str, Any], since: float) -> None:
    """Wait for the end of a `docker stop` whose client is gone: the engine goes on with it all the same."""
    if not docker.told_to_stop(details["Id"], since):
        return
    give_up = time.monotonic() + stop_within(details)
    while docker.container(details["Id"]).get("State", {}).get("Running") and time.monotonic() < give_up:
        time.sleep(POLL)


def door(c: Context, docker: Engine) -> Door:
    """The door to `run` on this engine. Signals wait until a command is over, so that its end is known."""

    def do(command: Sequence[str], failed: str) -> object:
        with signals.held():
            return run(c, command, failed, env=docker.environment)

    return do
