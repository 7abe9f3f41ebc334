"""The values of `docker run`'s options in one spelling each, whoever says them: the engine, or a command."""

from collections.abc import Mapping
from typing import Any

GIVEN = "given"  # the value of a flag that is on, and of one of several words
DEFAULT = {("pids-limit", "-1"), ("memory-swappiness", "-1"), ("ipc", "private"), ("ipc", "shareable")}


def value(option: str, said: object) -> str:
    """The value of an option that has one; "" for docker's default."""
    text = str(said or "")
    if (option, text) in DEFAULT:
        return ""
    return "bridge" if (option, text) == ("network", "default") else text


def listed(option: str, word: str) -> str:
    """One word of an option that may be given several times."""
    return word.upper().removeprefix("CAP_") if option.startswith("cap-") else word


def amount(count: int) -> str:
    """A number of bytes as one types it: 2g, 64m, 1500; -1 for no limit, "" for 0."""
    for power, unit in ((3, "g"), (2, "m"), (1, "k")):
        if count > 0 and count % 1024**power == 0:
            return f"{count // 1024**power}{unit}"
    return str(count) if count else ""


def seconds(nanoseconds: int) -> str:
    """A duration in seconds: 1.5s; "" for 0."""
    return f"{nanoseconds / 1e9:g}s" if nanoseconds else ""


def limit(soft: object, hard: object) -> str:
    """A `--ulimit` after its name."""
    return str(soft) if soft == hard else f"{soft}:{hard}"


def device(one: Mapping[str, Any]) -> str:
    """A device of the host, and what may be done with it."""
    may = one.get("CgroupPermissions") or "rwm"
    return str(one.get("PathOnHost") or "") + ("" if may == "rwm" else f":{may}")


def gpus(request: Mapping[str, Any]) -> str:
    """A request for devices as `--gpus` has it."""
    if ids := request.get("DeviceIDs"):
        return f"{'cdi' if request.get('Driver') == 'cdi' else 'device'}={','.join(ids)}"
    return "all" if request.get("Count") == -1 else str(request.get("Count") or 0)


def published(address: str, port: str) -> str:
    """Where a port of a container is reached on the host; "any" where the engine chooses."""
    return f"{address}:{port or 'any'}" if address and address not in ("0.0.0.0", "::") else port or "any"


def volume(source: str, mode: str) -> str:
    """What is mounted, and how, other than for reading and writing."""
    rest = ",".join(sorted({*mode.split(",")} - {"", "rw"}))
    return source + (f":{rest}" if rest else "")


def mount(words: Mapping[str, str]) -> str:
    """A `--mount` in one order, without its target and what is docker's default."""
    return ",".join(f"{key}={value}" for key, value in sorted(words.items()) if value)
