"""What a recommended command makes of a container: its options in the spelling of `engine/options.py`."""

import shlex
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from ..engine import label
from ..engine.options import COMMAND, LISTS, MAPS, About, Key
from ..engine.spelling import GIVEN, listed
from . import grammar
from .command import Recommended
from .forms import MANY, REST, value
from .grammar import Malformed, Option

# They say nothing of how the container runs, or it is not looked for.
NOT_COMPARED = grammar.words(
    """
    attach blkio-weight-device cidfile cpu-count cpu-percent detach detach-keys device-read-bps device-read-iops
    device-write-bps device-write-iops disable-content-trust help io-maxbandwidth io-maxiops ip ip6 isolation
    link-local-ip mac-address name platform pull quiet sig-proxy use-api-socket
    """
)
IN_LISTS = {*LISTS.values(), "network-alias"}
IN_PAIRS = {"log-opt", *MAPS.values()} - {"tmpfs"}


class Effect(Struct, frozen=True):
    """What a command makes of a container.

    A value of None may be anything, and so may everything of an option with the key `REST`. `secret` are the variables
    that come out of files.
    """

    options: Mapping[Key, str | None]
    secret: frozenset[str]


def effect(command: Recommended, image: Mapping[Key, str], about: About, env_files: Collection[str]) -> Effect:
    """What a command makes of a container of an image.

    Args:
        image: the options that the image sets.
        about: the engine, whose defaults hold where nobody says otherwise.
        env_files: which files on this machine may be read; what any other one says may be anything.
    """
    found: dict[Key, str | None] = {
        **defaults(about),
        **{key: said for key, said in image.items() if key[0] != "label"},
    }
    if command.network == "host":
        found["hostname", ""] = about.name
    secret: set[str] = set()
    given = [(option.name, option.value) for option in command.options]
    for path in [path for name, path in given if name == "env-file"]:
        said = variables(path or "") if path in env_files else {REST: None}
        secret |= said.keys()
        found |= {("env", name): text for name, text in said.items()}
    for option in command.options:
        with suppress(Malformed, ValueError):  # possible with --trust: then docker says what it makes of it
            for key, text in single(option):
                found[key] = together(key, found.get(key), text)
    if any(name == "entrypoint" for name, _ in given):
        found.pop(COMMAND, None)
    if command.command:
        found[COMMAND] = shlex.join(command.command)
    if any(name == "memory" for name, _ in given) and not any(name == "memory-swap" for name, _ in given):
        found["memory-swap", ""] = None
    if ("no-healthcheck", "") in found:
        found = {key: said for key, said in found.items() if not key[0].startswith("health-")}
    if found["log-driver", ""] == about.log_driver:
        found["log-opt", REST] = None  # the engine adds those of its own settings
    own = [key for key in found if key[0] == "label" and key[1].startswith(label.OWN)]
    return Effect({key: said for key, said in found.items() if said != "" and key not in own}, frozenset(secret))


def together(key: Key, before: str | None, now: str | None) -> str | None:
    """What two options with one key make: the last counts, but a port may be published in several places."""
    if key[0] != "publish" or before is None or now is None:
        return now
    return ", ".join(sorted({*before.split(", "), now}))


def defaults(about: About) -> dict[Key, str | None]:
    """What a container has where neither its image nor its command says otherwise; None where that may be anything."""
    return {
        ("cgroupns", ""): None,
        ("log-driver", ""): about.log_driver,
        ("network", ""): "bridge",
        ("restart", ""): "no",
        ("runtime", ""): about.runtime,
        ("security-opt", "label=disable"): None,  # docker's own, with --privileged and the like
        ("shm-size", ""): "64m",
        ("stop-signal", ""): "SIGTERM",
        ("workdir", ""): "/",
    }


def variables(path: str) -> dict[str, str | None]:
    """What an `--env-file` sets; a name alone, or a file that cannot be read, may be anything.

    Source: docker/cli (pkg/kvfile or opts/envfile.go).
    """
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, ValueError):
        return {REST: None}
    found: dict[str, str | None] = {}
    for line in lines:
        name, equals, said = line.lstrip().partition("=")
        if name and not name.startswith("#"):
            found[name.strip()] = (said or '""') if equals else None
    return found


def single(option: Option) -> Iterator[tuple[Key, str | None]]:
    """What one option makes of a container.

    Raises:
        ValueError: when it cannot be read.
    """
    name, said = option.name, option.value
    if name in NOT_COMPARED or name == "env-file":
        return
    if said is None:
        yield (name, ""), GIVEN
    elif name in MANY:
        yield from MANY[name](said)
    elif name in IN_LISTS:
        yield (name, listed(name, said)), GIVEN
    elif name in IN_PAIRS:
        yield (name, said.partition("=")[0]), said.partition("=")[2] or GIVEN
    else:
        yield (name, ""), value(name, said)
