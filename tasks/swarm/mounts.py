"""The mounts of a recommended command as those of a Swarm service, in the long form of a stack file."""

from typing import Any

from ..recommended.forms import size
from ..recommended.grammar import TRUTH, Malformed
from ..recommended.values import clean_path, read_mount, read_volume

Piece = dict[str, Any]  # a part of a service in a stack file

TEMPLATE = "holds {{, which Swarm replaces"


def untemplated(said: str) -> str:
    """A value in which Swarm replaces nothing.

    Raises:
        Malformed: when it would.
    """
    if "{{" in said:
        raise Malformed(TEMPLATE)
    return said


def shm_size(said: str) -> Piece:
    return {"volumes": [{"type": "tmpfs", "target": "/dev/shm", "tmpfs": {"size": size(said)}}]}


def tmpfs(said: str) -> Piece:
    """A folder in memory; its mount options are docker's own, so only they and a size may be asked for."""
    folder, _, words = said.partition(":")
    mount: Piece = {"type": "tmpfs", "target": untemplated(folder)}
    for word in words.split(",") if words else ():
        name, _, text = word.partition("=")
        if name == "size":
            mount["tmpfs"] = {"size": size(text)}
        elif word not in ("rw", "noexec", "nosuid", "nodev"):  # what it has without being told
            raise Malformed(f"a Swarm service mounts no tmpfs with {word}")
    return {"volumes": [mount]}


def volume(said: str) -> Piece:
    found = read_volume(untemplated(said))
    mount = mounted("bind" if found.source.startswith("/") else "volume", found.source, found.target)
    for word in found.mode.split(",") if found.mode else ():
        if word == "ro":
            mount["read_only"] = True
        elif word == "nocopy":
            mount["volume"] = {"nocopy": True}
        elif word in ("private", "rprivate"):
            mount["bind"] = {"propagation": word}
        elif word in ("cached", "delegated", "consistent"):
            mount["consistency"] = word
        elif word != "rw":
            raise Malformed(f"a Swarm service mounts nothing with the mode {word}")
    return {"volumes": [mount]}


def mount(said: str) -> Piece:
    fields = read_mount(untemplated(said))
    kind = fields.pop("type", "volume")
    found = mounted(kind, fields.pop("source", ""), fields.pop("target", ""))
    for key, text in fields.items():
        if key == "readonly":
            found["read_only"] = TRUTH.get(text) == "true"
        elif key == "bind-propagation":
            found["bind"] = {"propagation": text}
        elif key == "volume-nocopy":
            found["volume"] = {"nocopy": TRUTH.get(text) == "true"}
        elif key == "tmpfs-size":
            found["tmpfs"] = {"size": size(text)}
        elif key == "consistency":
            found["consistency"] = text
        else:
            raise Malformed(f"a stack file has no word for {key}")
    return {"volumes": [found]}


def mounted(kind: str, source: str, target: str) -> Piece:
    """A mount in the long form of a stack file."""
    where = {"source": clean_path(source) if kind == "bind" else source} if source else {}
    return {"type": kind, **where, "target": target}
