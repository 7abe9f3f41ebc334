"""The values of a command's options, read into the spelling of `engine/spelling.py`."""

import re
import shlex
from collections.abc import Callable, Iterator

from ..engine import spelling
from ..engine.options import BYTES, HEALTH, Key
from ..engine.spelling import GIVEN
from . import grammar
from .grammar import Malformed
from .values import PUBLISH, clean_path, csv, port_range, read_mount, read_volume

REST = "*"  # in a key: whatever else is given for that option
UNITS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
DURATIONS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
IN_BYTES = {*BYTES.values()}
IN_SECONDS = {*HEALTH.values()}


def value(name: str, said: str) -> str | None:
    """The value of an option that counts once.

    Raises:
        ValueError: when it cannot be read.
    """
    if name in IN_BYTES:
        return spelling.amount(size(said))
    if name in IN_SECONDS:
        return f"{duration(said):g}s"
    if name == "network" and "=" in said:
        return None
    if name == "workdir":
        return clean_path(said)
    if name == "entrypoint":
        return shlex.quote(said) if said else ""
    if name == "restart":
        return said.removesuffix(":0") or "no"
    if name == "cpus":
        return f"{float(said):g}"
    if name == "stop-signal":
        return said or "SIGTERM"
    return spelling.value(name, "" if said == "0" and name != "stop-timeout" else said)


def size(text: str) -> int:
    """A number of bytes as docker reads it: 2g, 64MiB, -1. Source: docker/go-units (size.go).

    Raises:
        ValueError: when it is none.
    """
    if text == "-1":
        return -1
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([kmgtp]?)(?:i?b)?", text.lower())
    if not found:
        raise ValueError(text)
    return int(float(found[1]) * 1024 ** UNITS[found[2]])


def duration(text: str) -> float:
    """A duration as Go writes it, such as 1m30s, in seconds.

    Raises:
        ValueError: when it is none.
    """
    if not re.fullmatch(r"0|([0-9.]+(ns|us|µs|ms|s|m|h))+", text):
        raise ValueError(text)
    return sum(float(count) * DURATIONS[unit] for count, unit in re.findall(r"([0-9.]+)(ns|us|µs|ms|s|m|h)", text))


def publish(said: str) -> Iterator[tuple[Key, str]]:
    """A `--publish`, by the container's port."""
    match = PUBLISH.fullmatch(said)
    if match is None:
        raise Malformed("is not of the form ip:host:container/protocol")
    inside, outside = port_range(match["container"]), port_range(match["host"]) if match["host"] else None
    for place, port in enumerate(inside):
        at = str(outside[place]) if outside and len(outside) == len(inside) else match["host"] or ""
        key = f"{port}/{match['protocol'] or 'tcp'}"
        yield ("publish", key), spelling.published((match["ip"] or "").strip("[]"), at)
        yield ("expose", key), GIVEN


def expose(said: str) -> Iterator[tuple[Key, str]]:
    """An `--expose`, by each port."""
    ports, _, protocol = said.partition("/")
    for port in port_range(ports):
        yield ("expose", f"{port}/{protocol or 'tcp'}"), GIVEN


def volume(said: str) -> Iterator[tuple[Key, str]]:
    """A `--volume`, by the folder in the container."""
    found = read_volume(said)
    yield ("volume", found.target), spelling.volume(found.source, found.mode) or GIVEN


def mount(said: str) -> Iterator[tuple[Key, str]]:
    """A `--mount`, by the folder in the container."""
    found = {"type": "volume", **read_mount(said)}
    words = {key: found.get(key, "") for key in ("type", "source", "readonly", "bind-propagation")}
    words["readonly"] = "true" if grammar.TRUTH.get(words["readonly"]) == "true" else ""
    words["tmpfs-size"] = str(size(found["tmpfs-size"])) if "tmpfs-size" in found else ""
    yield ("mount", found.get("target", "")), spelling.mount(words)


def device(said: str) -> Iterator[tuple[Key, str | None]]:
    """A `--device`, by its path in the container; one of the Container Device Interface may become anything."""
    source, _, rest = said.partition(":")
    inside, _, may = rest.partition(":")
    if not source.startswith("/"):
        yield ("gpus", ""), None
    elif inside and not inside.startswith("/"):  # only what may be done with it
        yield ("device", source), spelling.device({"PathOnHost": source, "CgroupPermissions": inside})
    else:
        yield ("device", inside or source), spelling.device({"PathOnHost": source, "CgroupPermissions": may})


def gpus(said: str) -> Iterator[tuple[Key, str | None]]:
    """A `--gpus`. One that names drivers or capabilities may be anything."""
    fields = csv(said)
    if any(field.partition("=")[0] not in ("all", "count", "device") and not field.isdigit() for field in fields):
        yield ("gpus", ""), None
    else:
        found = ",".join(fields).removeprefix("count=")
        yield ("gpus", ""), "all" if found == "-1" else found


def ulimit(said: str) -> Iterator[tuple[Key, str]]:
    """A `--ulimit`, by its name."""
    name, _, limits = said.partition("=")
    soft, _, hard = limits.partition(":")
    yield ("ulimit", name), spelling.limit(soft, hard or soft)


def pair(option: str, empty: str | None) -> Callable[[str], Iterator[tuple[Key, str | None]]]:
    """A reader of `NAME=value`. `empty`: what a name alone makes."""

    def read(said: str) -> Iterator[tuple[Key, str | None]]:
        name, equals, text = said.partition("=")
        yield (option, name), (text or ('""' if option == "env" else GIVEN)) if equals else empty

    return read


def tmpfs(said: str) -> Iterator[tuple[Key, str]]:
    """A `--tmpfs`, by its folder."""
    folder, _, words = said.partition(":")
    yield ("tmpfs", folder), words or GIVEN


def anything(option: str) -> Callable[[str], Iterator[tuple[Key, None]]]:
    """A reader of a file that is not read."""

    def read(said: str) -> Iterator[tuple[Key, None]]:
        yield (option, REST), None

    return read


MANY: dict[str, Callable[[str], Iterator[tuple[Key, str | None]]]] = {
    "device": device,
    "env": pair("env", None),
    "expose": expose,
    "gpus": gpus,
    "label": pair("label", GIVEN),
    "label-file": anything("label"),
    "mount": mount,
    "publish": publish,
    "tmpfs": tmpfs,
    "ulimit": ulimit,
    "volume": volume,
}
