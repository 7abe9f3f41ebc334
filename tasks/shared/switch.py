"""The switch: replace the version that runs by another, or leave everything as it was."""

from collections.abc import Callable, Sequence
from typing import NoReturn
from urllib.parse import urlsplit

from invoke import Context, Exit
from msgspec import Struct

from . import commands, health, service, stamp
from .engine import Container, Engine, Image
from .port import Silence
from .recommended import Recommended
from .settings import Frame, Settings
from .shell import run

NEXT = ".next"


class Plan(Struct, frozen=True):
    """What a switch is going to do. `old` are the containers that run now; `holder` is one that only holds the name."""

    settings: Settings
    frame: Frame
    image: Image
    recommended: Recommended
    old: tuple[Container, ...]
    holder: Container | None
    taken: frozenset[str]

    @property
    def service(self) -> str:
        return self.frame.service

    @property
    def candidate(self) -> str:
        return self.frame.service + NEXT


def plan(docker: Engine, settings: Settings, frame: Frame, image: Image, recommended: Recommended) -> Plan:
    """Look at the engine and decide what a switch to `image` has to do.

    Raises:
        Exit: with code 1 when a container that is no version of this frame holds the service's name.
    """
    containers = docker.containers()
    ours = service.versions(docker, frame, containers)
    old = tuple(container for container in ours if container.running)
    holder = next((found for found in containers if found.name == frame.service), None)
    if holder and holder not in ours:
        raise Exit(
            f"The container {holder.name} is not a version of {frame.image}, and holds the service's name. "
            f"Rename it (docker rename {holder.name} …) or change the setting service.",
            code=1,
        )
    names = frozenset(container.name for container in containers)
    return Plan(settings, frame, image, recommended, old, holder if holder and not holder.running else None, names)


def perform(c: Context, docker: Engine, plan: Plan) -> None:
    """Switch. Until the new version is healthy, the old one can come back as it was.

    Raises:
        Exit: with code 1 when the new version fails; the old one runs again then.
    """
    do = acting(c, docker)
    labels = {stamp.OWN + "service": plan.service}
    words = plan.recommended
    create = commands.create(plan.candidate, words.image, words.arguments(), words.command, labels)
    try:
        do(create, f"{plan.image.tag} cannot be created; nothing was changed.")
        with Silence(host_of(docker), plan.frame.port) as silence:
            for container in plan.old:
                do(commands.stop(container.name), f"{container.name} cannot be stopped.")
            do(commands.start(plan.candidate), f"{plan.image.tag} cannot be started.")
            if not c.config.run.dry:
                wait(docker, plan)
    except (Exit, KeyboardInterrupt) as error:
        undo(c, docker, plan, error)
    commit(do, plan)
    report(c, plan, silence.milliseconds)


def acting(c: Context, docker: Engine) -> Callable[[Sequence[str], str], object]:
    """A door to `run` on this engine."""
    return lambda command, failed: run(c, command, failed, env=docker.environment)


def wait(docker: Engine, plan: Plan) -> None:
    """Wait until the candidate is healthy.

    Raises:
        Exit: with code 1 and the reason, when it does not become so.
    """
    start = plan.settings.start
    said = [""]

    def tell(state: str, seconds: float) -> None:
        if state != said[0]:
            print(f"{plan.candidate}: {state} after {seconds:.1f} s", flush=True)
            said[0] = state

    if trouble := health.wait(docker, plan.candidate, start.timeout, start.settle, tell):
        raise Exit(f"{plan.image.tag} {trouble}.", code=1)


def commit(do: Callable[[Sequence[str], str], object], plan: Plan) -> None:
    """Give the old containers their kept names and the candidate the service's."""
    taken = set(plan.taken)
    for container in (*plan.old, *([plan.holder] if plan.holder else [])):
        name = kept_name(plan.service, container, taken)
        taken.add(name)
        do(commands.rename(container.name, name), f"{container.name} cannot be renamed.")
    do(commands.rename(plan.candidate, plan.service), f"{plan.candidate} runs, but cannot be renamed.")


def kept_name(service: str, container: Container, taken: set[str]) -> str:
    """A free name for a container of an earlier version: `<service>.<tag>`, or with a number behind it."""
    name = f"{service}.{version_of(container)}"
    numbers = (f"{name}.{number}" for number in range(2, len(taken) + 3))
    return next(free for free in (name, *numbers) if free not in taken)


def version_of(container: Container) -> str:
    """The tag of the version that a container was made from, as its image said when it was built."""
    return container.labels.get(stamp.OCI + "version") or container.image.removeprefix("sha256:")[:12]


def undo(c: Context, docker: Engine, plan: Plan, error: BaseException) -> NoReturn:
    """Remove the candidate, start again what ran before, and end.

    Raises:
        Exit: always; with code 130 if the person said stop, else 1.
    """
    do = acting(c, docker)
    candidate = docker.container(plan.candidate)
    if candidate and candidate["Config"]["Labels"].get(stamp.OWN + "service") == plan.service:
        show_log(docker, plan.candidate)
        do(commands.remove(plan.candidate, force=True), f"{plan.candidate} cannot be removed.")
    for container in plan.old:
        if not docker.container(container.id).get("State", {}).get("Running"):
            do(commands.start(container.name), f"{container.name} cannot be started again.")
    versions = ", ".join(version_of(container) for container in plan.old)
    now = f"{versions} runs as before." if versions else "No version runs, as before."
    said = error.message if isinstance(error, Exit) else "Stopped."
    raise Exit(f"{said} {now}", code=1 if isinstance(error, Exit) else 130)


def show_log(docker: Engine, name: str) -> None:
    """Print a container's last 30 log lines."""
    output = docker.ask(lambda client: client.logs(name, tail=30)) or b""
    for line in output.decode(errors="replace").splitlines():
        print(f"{name} | {service.printable(line)}", flush=True)


def host_of(docker: Engine) -> str:
    """The host on which the engine's containers have their ports."""
    return "127.0.0.1" if docker.endpoint.local else urlsplit(docker.endpoint.host).hostname or "127.0.0.1"


def report(c: Context, plan: Plan, silent: int | None) -> None:
    """Say which version runs now, which one before, and for how long the port was silent."""
    if c.config.run.dry:
        return
    before = ", ".join(version_of(container) for container in plan.old)
    print(
        f"{plan.image.tag} runs as {plan.service}"
        + (f"; before: {before}" if before else "")
        + (f"; port {plan.frame.port} was silent for {silent} ms" if silent is not None and before else "")
        + ".",
        flush=True,
    )
