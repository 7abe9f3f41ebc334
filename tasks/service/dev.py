"""A version with the source mounted over the installed one, so that a change shows without a build.

It stands beside the service, as `<service>-dev` and on another port, and no switch takes it for the service.
"""

from pathlib import Path

from invoke import Exit
from msgspec import Struct

from ..engine import commands, label
from ..engine.records import Container, ImageRow
from ..host.handing import hand_over
from ..host.saying import say
from ..host.text import brief
from ..recommended.command import Recommended
from . import acts, another_port, versions
from .beside import launch
from .order import Wishes, checked_command
from .service import Service

ONLY_SERVING = ("restart", "network-alias", "ip", "ip6", "mac-address", "tty", "interactive")


class Trial(Struct, frozen=True):
    """A version to run with the source at `inside` of it; `port` is None for a service without one."""

    image: ImageRow
    tag: str
    command: Recommended
    source: Path
    inside: str
    port: int | None


def plan(service: Service, image: ImageRow, port: int) -> Trial:
    """What `inv dev` runs.

    Args:
        port: of the host; 0 for the next free one after the service's.

    Raises:
        Exit: with code 1 when the source is not on the engine's host or its place in the image is not known, and as
            `checked_command` and `another_port.chosen` do.
    """
    frame = service.frame
    source = service.settings.path(frame.source or service.settings.source)
    key = service.settings.key(frame)
    setting = f"stack.frames.{key}.source" if frame.source else "stack.source"
    if not service.engine.shares_files:
        raise Exit("The engine is on another machine, which does not have the source.", code=1)
    if not source.is_dir():
        raise Exit(f"There is no source {source}. It is the setting {setting}.", code=1)
    details = service.engine.image(image.id)
    inside = frame.installed or (details.workdir if details else "")
    if inside in ("", "/"):
        said = "The image does not say where the source is installed: it has no working directory but /"
        way = f"Set stack.frames.{key}.installed. Over / itself, nothing can be mounted."
        raise Exit(f"{said}. {way}", code=1)
    number = another_port.chosen(service, port, name(service))
    command = checked_command(service, image, Wishes(0, False, False, False)).without(*ONLY_SERVING)
    if frame.port and number:
        command = another_port.moved(command, frame.port, number, details.health_check if details else None)
    return Trial(image, versions.tag_of(frame, image), command, source, inside, number)


def name(service: Service) -> str:
    return f"{service.name}-dev"


def there(service: Service) -> Container | None:
    """The container of `inv dev`, running or not.

    Raises:
        Exit: with code 1 when somebody else's has its name.
    """
    found = service.engine.container(name(service))
    if found and found.labels.get(label.DEV) != service.name:
        raise Exit(
            f"The container {found.name} is not one that inv dev made. Rename it, or stop and remove it.", code=1
        )
    return found


def options(trial: Trial) -> list[str]:
    """The options of its container. Python writes nothing into the source, which would be root's."""
    mounted = commands.bind(trial.source, trial.inside)
    return [*trial.command.arguments(), mounted, "--env=PYTHONDONTWRITEBYTECODE=1"]


def begin(service: Service, trial: Trial) -> None:
    """Run it in the background, instead of the one that was there before.

    Raises:
        Exit: with code 1 when it does not stay up for `start.settle` seconds; then it is taken away.
    """
    still = another_port.still_named(trial.command, service.frame.port) if service.frame.port else ""
    if still:
        say(f"Warning: its command still names port {service.frame.port}, the service's: {brief(still)}")
    remove(service)
    labels, mine = {label.DEV: service.name}, name(service)
    creating = commands.create(mine, trial.image.id, options(trial), trial.command.command, labels)
    what = f"start {trial.tag} with {trial.source}"
    hidden = f"What the build put into {trial.inside}, such as node_modules, is hidden by the source."
    launch(service, mine, creating, what, f"{mine} ended; the lines above say why. {hidden}")
    if not service.dry:
        where = f" on port {trial.port}" if trial.port and not still else ""
        say(f"{trial.tag} runs as {mine}{where}, with {trial.source} at {trial.inside}.")
        say(f"Its log: docker logs --follow {mine}\nTo take it away: {service.next_command('dev', '--stop')}")


def shell(service: Service, trial: Trial) -> int:
    """A shell in it instead of its command, in this terminal. It goes when that ends. Returns its exit code."""
    remove(service)
    entry = [*options(trial), "--entrypoint="]
    argv = commands.terminal(name(service), trial.image.id, entry, commands.SHELL, {label.DEV: service.name})
    return hand_over(argv, service.engine.environment, service.dry)


def remove(service: Service) -> bool:
    """Stop it and take it away. Returns whether there was one."""
    found = there(service)
    if found:
        service.do(commands.stop(acts.short(found)), f"{found.name} cannot be stopped.")
        service.do(commands.remove(acts.short(found), volumes=True), f"{found.name} cannot be removed.")
    return found is not None
