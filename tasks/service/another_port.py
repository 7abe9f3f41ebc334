"""The port of a container beside the service: which one it gets, and the service's command with it."""

import re
from collections.abc import Callable

from invoke import Exit
from msgspec.structs import replace

from ..engine.records import HealthCheck
from ..recommended.command import Recommended
from ..recommended.grammar import Option
from . import reach
from .service import Service

Change = Callable[[str, int, int], str]
LAST = 65535
LEAST = 1024  # below it, ports need privileges
HERE = r"(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\])"
HEALTH = (
    "health-cmd",
    "health-interval",
    "health-retries",
    "health-start-interval",
    "health-start-period",
    "health-timeout",
)


def chosen(service: Service, wanted: int, name: str) -> int | None:
    """The port to take; None for a service without one.

    Args:
        wanted: the person's; 0 for the next one after the service's that nobody holds and no frame has.
        name: of the container, which will make room for itself where it is there.

    Raises:
        Exit: with code 2 for a wrong port, 1 when none is free.
    """
    own: int | None = service.frame.port
    if own is None:
        if wanted:
            raise Exit("The service has no port, so --port means nothing.", code=2)
        return None
    if (wanted and not 1 <= wanted <= LAST) or wanted == own:
        raise Exit(f"--port needs another port than the service's, from 1 to 65535, and {wanted} is none.", code=2)
    settings = service.settings
    taken: dict[int, str] = {frame.port: f"of the frame {key}" for key, frame in settings.frames.items() if frame.port}
    taken[settings.weights.port] = "of the weights' server"
    if wanted in taken:
        raise Exit(f"Port {wanted} is that {taken[wanted]}. Type --port with another one.", code=2)
    mine = service.engine.container(name)
    for number in [wanted] if wanted else [*range(own + 1, LAST + 1), *range(own - 1, LEAST, -1)]:
        if number not in taken and not reach.stranger(service, (("", number),), [mine] if mine else []):
            return number
    raise Exit(f"Port {wanted} is held by somebody else." if wanted else "No port of this machine is free.", code=1)


def moved(command: Recommended, old: int, new: int, check: HealthCheck | None = None) -> Recommended:
    """The command with another port of the host.

    Args:
        check: the image's own health check. On the host's network, one that names the old port would ask the service.
    """
    on_host = command.network == "host"
    values: dict[str, Change] = {"env": named, "health-cmd": in_script} if on_host else {"publish": published}
    options = [
        replace(one, value=values[one.name](one.value or "", old, new)) if one.name in values else one
        for one in command.options
    ]
    if not on_host:
        return replace(command, options=tuple(options))
    options.append(Option("env", f"PORT={new}"))
    if check and not command.values("health-cmd") and names(" ".join(check.command), old):
        options = [one for one in options if one.name not in (*HEALTH, "no-healthcheck")]
        options.append(Option("no-healthcheck", None))
    return replace(command, options=tuple(options), command=tuple(named(word, old, new) for word in command.command))


def published(value: str, old: int, new: int) -> str:
    """A value of --publish with the new port of the host; the engine chooses for another than the service's."""
    outside, colon, inside = value.rpartition(":")
    if not colon:
        return value
    address, colon, number = outside.rpartition(":")
    return f"{address}{colon}{new}:{inside}" if number == str(old) else f"{address}{colon}{':' * bool(colon)}{inside}"


def named(word: str, old: int, new: int) -> str:
    """A word that is the port, or ends in it as in `--port=8339`, with the new one; and wherever it is this host's."""
    word = re.sub(rf"({HERE}:){old}(?!\d)", rf"\g<1>{new}", word)
    for before in ("=", ":"):
        if word.endswith(f"{before}{old}"):
            return f"{word.removesuffix(str(old))}{new}"
    return str(new) if word == str(old) else word


def in_script(text: str, old: int, new: int) -> str:
    """A health check's script, which asks the service alone, with the new port."""
    return re.sub(whole(old), str(new), text)


def names(text: str, number: int) -> bool:
    """Whether a text holds the port, and not as a part of a longer word."""
    return re.search(whole(number), text) is not None


def whole(number: int) -> str:
    return rf"(?<![0-9A-Za-z]){number}(?![0-9A-Za-z])"


def still_named(command: Recommended, old: int) -> str:
    """What of a command holds the old port where nothing could replace it, as a script for `sh -c`; "" for nothing.

    Of a variable the name alone is told. Where the port inside is its own, it may stay.
    """
    if command.network != "host":
        return ""
    variables = [value.partition("=") for value in command.values("env")]
    found = [f"--env {name}" for name, _, value in variables if names(value, old)]
    return next((word for word in (*command.command, *found) if word in found or names(word, old)), "")
