"""What an allowed option may not ask for: its value is checked as well.

A value is safe when it reaches nothing of the host but the data directory, shares nothing with it, and sends nothing
elsewhere.
"""

import os.path
import re
from collections.abc import Callable, Collection

from msgspec import Struct

from ..engine.names import valid_name
from ..host.text import brief
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


class Allowed(Struct, frozen=True):
    """What a site allows. `local`: whether the engine has this host's files, so that symbolic links can be followed.

    `options` are docker's long names, `folders` are where volumes may come from, `env_files` what --env-file may name.
    """

    options: Collection[str]
    folders: tuple[str, ...]
    env_files: tuple[str, ...] = ()
    local: bool = True

    def objection(self, source: str) -> str:
        """Why a host's path may not be mounted, as the end of a sentence; empty when it may."""
        if not source.startswith("/"):
            return "is neither an absolute path nor a volume's name"
        path = clean_path(source)
        folder = next((folder for folder in self.folders if under(path, clean_path(folder))), "")
        if not folder:
            more = "" if len(self.folders) > 1 else ", nor a folder of start.volumes"
            return f"is not under {' or '.join(self.folders)}{more}"
        real = os.path.realpath(path) if self.local else path
        if self.local and not any(under(real, os.path.realpath(folder)) for folder in self.folders):
            return f"leads out of {folder} by a symbolic link"
        return "is an engine's socket" if path.endswith(SOCKETS) or real.endswith(SOCKETS) else ""


def under(path: str, folder: str) -> bool:
    """Whether a cleaned path is a folder or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def objection(name: str, value: str, allowed: Allowed) -> str:
    """Why an allowed option may not have this value, as the end of a sentence; empty when it may."""
    if name in FORMS:
        form, sentence = FORMS[name]
        return "" if re.fullmatch(form, value) else sentence
    if name in RULES:
        try:
            return RULES[name](value, allowed)
        except Malformed as error:
            return str(error)
    return ""


def env_file_objection(value: str, allowed: Allowed) -> str:
    """Why a file with variables may not be read; empty when it may. The docker client reads it, on this machine."""
    files = {clean_path(path) for path in allowed.env_files}
    return "" if value.startswith("/") and clean_path(value) in files else "is not a file that start.env_files names"


def publish_objection(value: str, allowed: Allowed) -> str:
    """Why a port may not be published; empty when it may."""
    host_ports(value)
    return ""


def volume_objection(value: str, allowed: Allowed) -> str:
    """Why a volume may not be mounted; empty when it may."""
    spec = read_volume(value)
    if not spec.target.startswith("/"):
        return "does not say where in the container, with an absolute path"
    if wrong := wrong_mode(spec.mode):
        return f"has the mode {brief(wrong, 40)}, and fine are {', '.join(word for kind in MODES for word in kind)}"
    return "" if not spec.source or valid_name(spec.source) else allowed.objection(spec.source)


def mount_objection(value: str, allowed: Allowed) -> str:
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
    if fields.get("consistency", "default") not in (*CONSISTENCY, "default"):
        return "has a consistency that docker does not know"
    if fields.get("bind-propagation", "private") not in ("private", "rprivate"):
        return "would share mounts with the host"
    if kind == "bind":
        return allowed.objection(source)
    if source and (kind == "tmpfs" or not valid_name(source)):
        return "has a source that is no volume's name"
    return ""


def wrong_mode(mode: str) -> str:
    """The first word of a volume's mode that may not stand there; "" for a good one."""
    left = list(MODES)
    for word in mode.split(",") if mode else ():
        kind = next((kind for kind in left if word in kind), None)
        if kind is None:
            return word or "an empty one"
        left.remove(kind)
    return ""


CONSISTENCY = ("consistent", "cached", "delegated")
# A volume's modes, of each kind one at most; those that would share mounts with the host are left out.
MODES = (("ro", "rw"), ("z", "Z"), ("nocopy",), ("private", "rprivate"), CONSISTENCY)

MOUNTS = {
    "bind": {"target", "readonly", "bind-propagation", "bind-nonrecursive", "consistency"},
    "volume": {"target", "readonly", "volume-nocopy", "consistency"},
    "tmpfs": {"target", "readonly", "tmpfs-size", "tmpfs-mode"},
}

RULES: dict[str, Callable[[str, Allowed], str]] = {
    "env-file": env_file_objection,
    "mount": mount_objection,
    "publish": publish_objection,
    "volume": volume_objection,
}
