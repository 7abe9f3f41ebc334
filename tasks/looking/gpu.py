"""Whether a container still has its GPU: asked anew, since what holds the device already goes on without it.

A container keeps running when it loses its GPU. Where the runtime granted the devices behind runc's back, runc takes
them away at the next update of the container, and with systemd's control groups at the next `systemctl daemon-reload`.
Source: https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/troubleshooting.html
"""

from collections.abc import Mapping
from typing import Literal

from invoke import Context
from msgspec import Struct

from ..engine.engine import Engine
from ..engine.options import Key
from ..engine.records import Container
from ..host.shell import ask
from ..host.text import brief
from ..service import health

SECONDS = 20.0  # a broken driver lets nvidia-smi hang
LIST = ("nvidia-smi", "-L")
# 0: it opens. 3: there is none. 4: it is there and does not open, as when the right to it was taken away.
OPEN = ("sh", "-c", "[ -e /dev/nvidiactl ] || exit 3; (: < /dev/nvidiactl) 2> /dev/null || exit 4")
NOT_RUN = (None, 126, 127)  # exit codes of a program that is not there
TAKEN_AWAY = "Unknown Error"  # what NVML says then

State = Literal["fine", "lost", "never had", "unknown"]


class Gpu(Struct, frozen=True):
    """What a container with a GPU runtime sees of its GPU now.

    `why` says in a few words how that was found. `seen` counts the GPUs in it, None where they were not counted.
    `at_risk`: whether the cause of a loss is there already.
    """

    state: State
    why: str
    seen: int | None
    at_risk: bool


def gpu(c: Context, engine: Engine, container: Container, options: Mapping[Key, str]) -> Gpu | None:
    """What a container sees of its GPU; None where it runs without a GPU runtime.

    Args:
        options: how it runs, from `Engine.run_options`.
    """
    if not wants(options):
        return None
    if container.state != "running":
        return Gpu("unknown", f"it is {container.state}", None, False)
    state, why, seen = look(c, engine, container.id, options)
    return Gpu(state, why, seen, at_risk=at_risk(options, engine.about.cgroup_driver) and state == "fine")


def wants(options: Mapping[Key, str]) -> bool:
    """Whether a container runs with a GPU runtime, or asked for GPUs."""
    return "nvidia" in options.get(("runtime", ""), "") or ("gpus", "") in options


def at_risk(options: Mapping[Key, str], cgroup_driver: str) -> bool:
    """Whether the next `systemctl daemon-reload` may take the GPU away.

    It may not where the engine itself was told of the devices.
    """
    told = any(option == "device" and name.startswith("/dev/nvidia") for option, name in options)
    by_interface = options.get(("gpus", ""), "").startswith("cdi=")
    return cgroup_driver == "systemd" and not told and not by_interface


def look(c: Context, engine: Engine, container: str, options: Mapping[Key, str]) -> tuple[State, str, int | None]:
    """The state of a container's GPU, how that was found, and how many it sees."""
    found = health.inside(engine, container, LIST, SECONDS, "0")
    if found is None:
        return "unknown", f"nvidia-smi takes longer than {SECONDS:g} s in it", None
    code, output = found
    if code in NOT_RUN:
        return opened(engine, container)
    said = output.decode(errors="replace")
    seen, host = listed(said), of_host(c, engine)
    if code == 0 and seen:
        missing = set(host or ()) - set(seen) if options.get(("env", "NVIDIA_VISIBLE_DEVICES")) == "all" else set()
        if missing and host:
            return "lost", f"it sees {len(seen)} of the host's {len(host)}", len(seen)
        return "fine", f"it sees {len(seen)}", len(seen)
    last = brief((said.strip().splitlines() or ["nothing"])[-1])
    if host:
        node = health.inside(engine, container, OPEN, SECONDS, "0")
        if node and node[0] == 3 and TAKEN_AWAY not in said:
            return "never had", f"/dev/nvidiactl is not in it; nvidia-smi says: {last}", 0
        return "lost", f"nvidia-smi says in it: {last}; the host's own sees {len(host)}", 0
    if host is None and TAKEN_AWAY in said:
        return "lost", f"nvidia-smi says in it: {last}", 0
    theirs = "the host's own cannot be asked" if host is None else "the host's own sees none either"
    return "unknown", f"nvidia-smi says in it: {last}; {theirs}", 0


def opened(engine: Engine, container: str) -> tuple[State, str, None]:
    """The same where there is no nvidia-smi: by opening the device."""
    found = health.inside(engine, container, OPEN, SECONDS, "0")
    code = found[0] if found else None
    if code == 0:
        return "fine", "/dev/nvidiactl can be opened", None
    if code == 3:
        return "never had", "neither nvidia-smi nor /dev/nvidiactl is in it", None
    if code == 4:
        return "lost", "/dev/nvidiactl cannot be opened any more", None
    return "unknown", "neither nvidia-smi nor a shell can be run in it", None


def listed(said: str) -> list[str]:
    """The GPUs that `nvidia-smi -L` lists, each without its number, which differs from container to container."""
    return [line.partition(": ")[2] for line in said.splitlines() if line.startswith("GPU ") and ": " in line]


def of_host(c: Context, engine: Engine) -> list[str] | None:
    """The GPUs that the engine's host has; None where that cannot be asked, [] where its driver answers with none."""
    if not engine.shares_files:
        return None
    said = ask(c, ["timeout", f"{SECONDS:g}", *LIST])
    return None if said.exited in NOT_RUN else listed(said.stdout) if said.ok else []
