"""What an engine says of itself and of its host."""

from typing import Any

from msgspec import Struct


class Facts(Struct, frozen=True):
    """An engine: `memory` of its host in bytes, 0 where it does not say, like `cpus`; `root` is its own folder.

    `containerd` says that images are in containerd's store and not in docker's classic one. `runtimes` are the names
    that `--runtime` may have.
    """

    version: str
    driver: str
    containerd: bool
    runtimes: tuple[str, ...]
    cpus: int
    memory: int
    root: str


def facts(said: dict[str, Any]) -> Facts:
    """An engine from `GET /info`.

    Source: https://docs.docker.com/engine/storage/containerd/, for how its image store is told from the classic one.
    """
    status = [tuple(pair) for pair in said.get("DriverStatus") or ()]
    return Facts(
        version=said.get("ServerVersion") or "?",
        driver=said.get("Driver") or "?",
        containerd=("driver-type", "io.containerd.snapshotter.v1") in status,
        runtimes=tuple(said.get("Runtimes") or ()),
        cpus=said.get("NCPU") or 0,
        memory=said.get("MemTotal") or 0,
        root=said.get("DockerRootDir") or "",
    )
