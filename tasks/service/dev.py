"""A version with the source mounted over the installed one, so that a change shows without a build.

It stands beside the service, as `<service>-dev` and on another port, and no switch takes it for the service.
"""

import re
from pathlib import Path

from invoke import Exit
from msgspec import Struct
from msgspec.structs import replace

from ..engine import commands, label
from ..engine.records import Container, ImageRow
from ..host.handing import hand_over
from ..host.saying import say
from ..host.text import brief
from ..recommended.command import Recommended
from ..recommended.grammar import Option
from . import acts, versions
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
        port: of the host; 0 for the one after the service's.

    Raises:
        Exit: with code 1 when the source is not on the engine's host or its place in the image is not known, and as
            `checked_command` does; with code 2 for a wrong port.
    """
    frame = service.frame
    source = service.settings.path(frame.source or service.settings.source)
    if not service.engine.shares_files:
        raise Exit("The engine is on another machine, which does not have the source.", code=1)
    if not source.is_dir():
        raise Exit(f"There is no source {source}. See the setting source.", code=1)
    details = service.engine.image(image.id)
    inside = frame.installed or (details.workdir if details else "")
    if inside in ("", "/"):
        raise Exit("The image does not say where the source is installed. Set frames.….installed.", code=1)
    if port and frame.port is None:
        raise Exit("The service has no port, so --port means nothing.", code=2)
    if (port and not 1 <= port <= 65535) or port == frame.port:
        raise Exit(f"--port needs another port than the service's, from 1 to 65535, and {port} is none.", code=2)
    number = port or (frame.port and (frame.port + 1 if frame.port < 65535 else frame.port - 1))
    command = checked_command(service, image, Wishes(0, False, False, False))
    return Trial(image, versions.tag_of(frame, image), moved(command, frame.port, number), source, inside, number)


def moved(command: Recommended, old: int | None, new: int | None) -> Recommended:
    """The command with another port of the host, less what only the service may have."""
    command = command.without(*ONLY_SERVING)
    if old is None or new is None:
        return command
    on_host = command.network == "host"
    options = [
        replace(option, value=published(option.value or "", old, new))
        if option.name == "publish"
        else replace(option, value=named(option.value or "", old, new))
        if on_host and option.name == "env"
        else option
        for option in command.options
    ]
    if on_host:
        options.append(Option("env", f"PORT={new}"))
        return replace(
            command, options=tuple(options), command=tuple(named(word, old, new) for word in command.command)
        )
    return replace(command, options=tuple(options))


def published(value: str, old: int, new: int) -> str:
    """A value of --publish with the new port of the host; the engine chooses for another than the service's."""
    outside, colon, inside = value.rpartition(":")
    if not colon:
        return value
    address, colon, number = outside.rpartition(":")
    return f"{address}{colon}{new}:{inside}" if number == str(old) else f"{address}{colon}{':' * bool(colon)}{inside}"


def named(word: str, old: int, new: int) -> str:
    """A word that is the port, or ends in it as in `--port=8339`, with the new one."""
    for before in ("=", ":"):
        if word.endswith(f"{before}{old}"):
            return f"{word.removesuffix(str(old))}{new}"
    return str(new) if word == str(old) else word


def still_named(service: Service, trial: Trial) -> str:
    """A word of its command that holds the service's port where nothing could replace it, as in a script for `sh -c`.

    "" without one, and where the port inside is its own.
    """
    number = rf"(?<![0-9A-Za-z]){service.frame.port}(?![0-9A-Za-z])"
    words = trial.command.command if trial.port and trial.command.network == "host" else ()
    return next((word for word in words if re.search(number, word)), "")


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
    if still := still_named(service, trial):
        say(f"Warning: its command still names port {service.frame.port}, the service's: {brief(still)}")
    remove(service)
    labels, mine = {label.DEV: service.name}, name(service)
    creating = commands.create(mine, trial.image.id, options(trial), trial.command.command, labels)
    what = f"start {trial.tag} with {trial.source}"
    launch(service, mine, creating, what, f"{mine} ended; the lines above say why.")
    if not service.dry:
        where = f" on port {trial.port}" if trial.port and not still else ""
        say(f"{trial.tag} runs as {mine}{where}, with {trial.source} at {trial.inside}.")
        say(f"Its log: docker logs --follow {mine}. To take it away: {service.next_command('dev', '--stop')}")


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
