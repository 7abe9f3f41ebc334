"""What an allowed option may not ask for: its value is checked as well.

A value is safe when it reaches nothing of the host but the data directory, shares nothing with it, and sends nothing
elsewhere.
"""

import os.path
import re
from collections.abc import Callable

from msgspec import Struct

from ..engine.names import valid_name
from .grammar import Malformed
from .values import clean_path, host_ports, read_mount, read_volume

SOCKETS = ("/docker.sock", "/containerd.sock")

# Options with one form each: the value must match as a whole; else the sentence says what is allowed.
FORMS: dict[str, tuple[str, str]] = {
    "env": (r"[^=]+=.*", "takes its value from this host; only NAME=value is allowed"),
    "gpus": (r'[A-Za-z0-9_.,=:"-]+', "is no plain request for GPUs"),
    # What the image says of itself and what a switch remembers must not be forged.
    "label": (
        r"(?!\s*(com\.colorai\.stack|org\.label-schema|org\.opencontainers\.image)\.).*",
        "is a label that only a build or a switch may set",
    ),
    # Drivers that send the log to another machine are left out, and so are the options that name one.
    "log-driver": (r"json-file|local|journald|none", "is not json-file, local, journald or none"),
    "log-opt": (
        r"(max-size|max-file|compress|labels|labels-regex|env|env-regex|tag|mode|max-buffer-size)=.*",
        "is not about the size or the tags of a local log",
    ),
    "network": (r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", "is not host, none, bridge or a network's plain name"),
    "restart": (r"no|always|unless-stopped|on-failure(:[0-9]{1,9})?", "is no restart policy"),
    "runtime": (r"[A-Za-z0-9_.-]+", "is not the name of a runtime"),
    # The engine waits as long as this at every stop: a long time would keep the next version from starting.
    "stop-timeout": (r"[0-9]{1,3}", "is not between 0 and 999 seconds"),
    "tmpfs": (r"/[^:]*(:[A-Za-z0-9=,%]*)?", "is not a path and its mount options"),
    "ulimit": (r"[a-z]+=(-1|[0-9]+)(:(-1|[0-9]+))?", "is not of the form name=soft or name=soft:hard"),
}


class Place(Struct, frozen=True):
    """Where volumes may come from: a directory, and whether this host can look at it."""

    data: str
    local: bool

    def objection(self, source: str) -> str:
        """Why a host's path may not be mounted, as the end of a sentence; empty when it may."""
        if not source.startswith("/"):
            return "is neither an absolute path nor a volume's name"
        path, data = clean_path(source), clean_path(self.data)
        if not under(path, data):
            return f"is not under {self.data}"
        real = os.path.realpath(path) if self.local else path
        if self.local and not under(real, os.path.realpath(data)):
            return f"leads out of {self.data} by a symbolic link"
        return "is an engine's socket" if path.endswith(SOCKETS) or real.endswith(SOCKETS) else ""


def under(path: str, folder: str) -> bool:
    """Whether a cleaned path is a folder or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def objection(name: str, value: str, place: Place) -> str:
    """Why an allowed option may not have this value, as the end of a sentence; empty when it may."""
    if name in FORMS:
        form, sentence = FORMS[name]
        return "" if re.fullmatch(form, value) else sentence
    if name in RULES:
        try:
            return RULES[name](value, place)
        except Malformed as error:
            return str(error)
    return ""


def publish_objection(value: str, place: Place) -> str:
    """Why a port may not be published; empty when it may."""
    host_ports(value)
    return ""


def volume_objection(value: str, place: Place) -> str:
    """Why a volume may not be mounted; empty when it may."""
    spec = read_volume(value)
    if not spec.target.startswith("/"):
        return "does not say where in the container, with an absolute path"
    if spec.mode not in ("", "ro", "rw"):
        return "has a mode that is neither ro nor rw"
    return "" if not spec.source or valid_name(spec.source) else place.objection(spec.source)


def mount_objection(value: str, place: Place) -> str:
    """Why a mount may not be made; empty when it may."""
    fields = read_mount(value)
    kind = fields.pop("type", "volume")
    source = fields.pop("source", "")
    if kind not in MOUNTS:
        return "is not of type bind, volume or tmpfs"
    if unknown := sorted(fields.keys() - MOUNTS[kind]):
        return f"has {unknown[0] or 'an empty field'}, which is not allowed"
    if not fields.get("target", "").startswith("/"):
        return "does not say where in the container, with an absolute path"
    if fields.get("bind-propagation", "private") not in ("private", "rprivate"):
        return "would share mounts with the host"
    if kind == "bind":
        return place.objection(source)
    if source and (kind == "tmpfs" or not valid_name(source)):
        return "has a source that is no volume's name"
    return ""


MOUNTS = {
    "bind": {"target", "readonly", "bind-propagation", "bind-nonrecursive"},
    "volume": {"target", "readonly", "volume-nocopy"},
    "tmpfs": {"target", "readonly", "tmpfs-size", "tmpfs-mode"},
}

RULES: dict[str, Callable[[str, Place], str]] = {
    "mount": mount_objection,
    "publish": publish_objection,
    "volume": volume_objection,
}
