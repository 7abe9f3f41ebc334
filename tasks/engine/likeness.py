"""Whether two containers are run alike, by what the engine says of their options and commands, not of their state."""

from collections.abc import Mapping
from typing import Any

from . import label

# What says nothing of how a container runs, or is another thing's: who watches it, and what `docker update` changes.
CONFIG = {"Hostname", "Image", "Labels", "AttachStdin", "AttachStdout", "AttachStderr"}
HOST = {"AutoRemove", "RestartPolicy", "ContainerIDFile", "ConsoleSize"}
ORDERED = {"Cmd", "Entrypoint", "Healthcheck"}
ENDPOINT = ("Aliases", "IPAMConfig", "Links", "DriverOpts")


def unlike(one: Mapping[str, Any], other: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """What differs in how two containers are run, each by its name in `docker inspect`, ascending; [] for nothing.

    Args:
        one, other: from `GET /containers/{name}/json`.
        labels: those of their image, which say nothing of the containers.
    """
    left, right = run_by(one, labels), run_by(other, labels)
    return sorted(key for key in left.keys() | right.keys() if left.get(key) != right.get(key))


def run_by(details: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, object]:
    """How a container is run, without what is empty. A name in a network counts unless it is the container's own."""
    config, host, own = details["Config"], details["HostConfig"], (details["Id"][:12], details["Name"][1:])
    found = {"Image": details["Image"]}
    found["Config.Hostname"] = "" if config.get("Hostname") == own[0] else config.get("Hostname")
    found["Config.Labels"] = {
        key: value
        for key, value in (config.get("Labels") or {}).items()
        if labels.get(key) != value and not key.startswith(label.OWN)
    }
    found |= {f"Config.{key}": settled(key, value) for key, value in config.items() if key not in CONFIG}
    found |= {f"HostConfig.{key}": settled(key, value) for key, value in host.items() if key not in HOST}
    for name, endpoint in ((details.get("NetworkSettings") or {}).get("Networks") or {}).items():
        said = {key: settled(key, endpoint.get(key)) for key in ENDPOINT}
        said["Aliases"] = [alias for alias in said["Aliases"] or () if alias not in own]
        kept = {key: value for key, value in said.items() if value}
        found[f"Networks.{'bridge' if name == 'default' else name}"] = kept or "connected"
    return {key: value for key, value in found.items() if value}


def settled(key: str, value: Any) -> Any:
    """A value with what has no order in one order."""
    words = isinstance(value, list) and all(isinstance(word, str) for word in value)
    return sorted(value) if words and key not in ORDERED else value
