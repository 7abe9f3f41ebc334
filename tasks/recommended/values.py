"""The forms that some values of `docker run` take: volumes, mounts, ports.

Sources: docker/cli (opts/mount.go), moby (volume/mounts/linux_parser.go), docker/go-connections (nat); read for the
clients 20.10 to 29.
"""

import os.path
import re

from msgspec import Struct

from .grammar import Malformed

PORTS = r"[0-9]{1,5}(?:-[0-9]{1,5})?"
PUBLISH = re.compile(
    rf"(?:(?:(?P<ip>\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(?P<host>{PORTS})?:)?"
    rf"(?P<container>{PORTS})(?:/(?P<protocol>tcp|udp|sctp))?"
)

# One field of Go's encoding/csv: quoted from end to end, or without any quote.
FIELD = re.compile(r'(?:"(?P<quoted>(?:[^"]|"")*)"|(?P<bare>[^",]*))(?P<end>,|\Z)')
BARE_KEYS = {"readonly", "volume-nocopy", "bind-nonrecursive"}
MOUNT_KEYS = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}


class Volume(Struct, frozen=True):
    """A `--volume`: an empty source is an anonymous volume, an empty mode was not written."""

    source: str
    target: str
    mode: str


def clean_path(path: str) -> str:
    """An absolute path as the engine cleans it: `.`, `..` and double slashes resolved by text alone."""
    return os.path.normpath("/" + path.lstrip("/"))


def read_volume(value: str) -> Volume:
    """Read a `--volume`: `target`, `source:target` or `source:target:mode`.

    Raises:
        Malformed: for any other form.
    """
    parts = value.split(":")
    if len(parts) == 1:
        return Volume("", parts[0], "")
    if len(parts) > 3 or not all(parts):
        raise Malformed("is not of the form source:target or source:target:mode")
    return Volume(parts[0], parts[1], parts[2] if len(parts) == 3 else "")


def read_mount(value: str) -> dict[str, str]:
    """Read a `--mount`: its fields, each under docker's first name for it; one without a value is "true".

    Raises:
        Malformed: when it is no line of CSV, says one thing twice, or leaves out a value that is needed.
    """
    fields: dict[str, str] = {}
    for field in csv(value):
        written, equals, text = field.partition("=")
        key = MOUNT_KEYS.get(written, written)
        if key in fields:
            raise Malformed(f"says {key} twice")
        if not equals and key not in BARE_KEYS:
            raise Malformed("is not made of key=value pairs")
        fields[key] = text if equals else "true"
    return fields


def csv(line: str) -> list[str]:
    """Split a line as Go's encoding/csv does. Python's own csv forgives stray quotes, which Go does not.

    Raises:
        Malformed: for stray quotes.
    """
    fields: list[str] = []
    position = 0
    while True:
        match = FIELD.match(line, position)
        if match is None:
            raise Malformed("has a quote where docker allows none")
        quoted = match["quoted"]
        fields.append(match["bare"] if quoted is None else quoted.replace('""', '"'))
        position = match.end()
        if match["end"] == "":
            return fields


def host_ports(value: str) -> range:
    """The host's TCP ports that a `--publish` is certain to take; none where the engine chooses one itself.

    Raises:
        Malformed: when it is not of the form ip:host:container/protocol, with numbers or ranges of equal length.
    """
    match = PUBLISH.fullmatch(value)
    if match is None:
        raise Malformed("is not of the form ip:host:container/protocol")
    container = port_range(match["container"])
    host = port_range(match["host"] or "0")
    if len(host) > 1 and len(container) == 1:
        return range(0)  # the engine takes the first that is free
    if match["host"] and len(host) != len(container):
        raise Malformed("has ranges of unequal length")
    return host if host[0] and match["protocol"] in (None, "tcp") else range(0)


def host_address(value: str) -> str:
    """The host's address in a `--publish` that can be read; "" for every address."""
    match = PUBLISH.fullmatch(value)
    return (match["ip"] or "").strip("[]") if match else ""


def port_range(text: str) -> range:
    """Read `8000` or `8000-8010`.

    Raises:
        Malformed: when it is no range of ports.
    """
    first, _, last = text.partition("-")
    ports = range(int(first), int(last or first) + 1)
    if not ports or ports[-1] > 65535:
        raise Malformed(f"has {text}, which is no range of ports")
    return ports
