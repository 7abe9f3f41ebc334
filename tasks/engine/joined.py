"""The networks that a container was connected to after it was made: nothing in its command says so."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct


class Joined(Struct, frozen=True):
    """A network that a container is in beside its own, its names there, and the address that was asked for, if any."""

    network: str
    aliases: tuple[str, ...] = ()
    address: str = ""


def joined(details: dict[str, Any], own: str) -> Iterator[Joined]:
    """The networks in `GET /containers/{name}/json` but for its own, docker's NetworkMode: a name, an id, `default`."""
    for name, endpoint in (details.get("NetworkSettings", {}).get("Networks") or {}).items():
        if name == own or (own == "default" and name == "bridge") or endpoint.get("NetworkID") == own:
            continue
        aliases = (alias for alias in endpoint.get("Aliases") or () if alias != details["Id"][:12])
        yield Joined(name, tuple(aliases), (endpoint.get("IPAMConfig") or {}).get("IPv4Address") or "")
