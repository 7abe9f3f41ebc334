"""How a container really runs, by what the engine says: under the names of `docker run`'s options, in one spelling.

An option that is given once has the key (name, ""); one that is given for several things has one key for each of
them, such as (env, PATH) or (volume, /data). Not among them: what only `docker run` itself uses, limits of single
block devices, and addresses in a network.

Sources: docker/cli (cli/command/container/opts.go) and https://docs.docker.com/reference/api/engine/.
"""

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from . import label
from .spelling import GIVEN, amount, device, gpus, limit, listed, mount, published, seconds, value, volume

Key = tuple[str, str]
Options = dict[Key, str]

COMMAND: Key = ("command", "")

# By docker's name in HostConfig.
BYTES = {
    "Memory": "memory",
    "MemoryReservation": "memory-reservation",
    "MemorySwap": "memory-swap",
    "KernelMemory": "kernel-memory",
    "ShmSize": "shm-size",
}
VALUES = {
    "BlkioWeight": "blkio-weight",
    "CgroupParent": "cgroup-parent",
    "CgroupnsMode": "cgroupns",
    "CpuPeriod": "cpu-period",
    "CpuQuota": "cpu-quota",
    "CpuRealtimePeriod": "cpu-rt-period",
    "CpuRealtimeRuntime": "cpu-rt-runtime",
    "CpuShares": "cpu-shares",
    "CpusetCpus": "cpuset-cpus",
    "CpusetMems": "cpuset-mems",
    "IpcMode": "ipc",
    "MemorySwappiness": "memory-swappiness",
    "NetworkMode": "network",
    "OomScoreAdj": "oom-score-adj",
    "PidMode": "pid",
    "PidsLimit": "pids-limit",
    "Runtime": "runtime",
    "UTSMode": "uts",
    "UsernsMode": "userns",
    "VolumeDriver": "volume-driver",
}
FLAGS = {
    "AutoRemove": "rm",
    "OomKillDisable": "oom-kill-disable",
    "Privileged": "privileged",
    "PublishAllPorts": "publish-all",
    "ReadonlyRootfs": "read-only",
}
LISTS = {
    "CapAdd": "cap-add",
    "CapDrop": "cap-drop",
    "DeviceCgroupRules": "device-cgroup-rule",
    "Dns": "dns",
    "DnsOptions": "dns-option",
    "DnsSearch": "dns-search",
    "ExtraHosts": "add-host",
    "GroupAdd": "group-add",
    "Links": "link",
    "SecurityOpt": "security-opt",
    "VolumesFrom": "volumes-from",
}
MAPS = {"Annotations": "annotation", "StorageOpt": "storage-opt", "Sysctls": "sysctl", "Tmpfs": "tmpfs"}
IN_CONFIG = {"Domainname": "domainname", "Hostname": "hostname", "User": "user"}
HEALTH = {
    "Interval": "health-interval",
    "StartInterval": "health-start-interval",
    "StartPeriod": "health-start-period",
    "Timeout": "health-timeout",
}


class About(Struct, frozen=True):
    """What the engine says of itself, as far as a container has it where nobody says otherwise."""

    name: str
    runtime: str
    log_driver: str
    cgroup_driver: str


def about(info: Mapping[str, Any]) -> About:
    """The engine, from `GET /info`."""
    said = [str(info.get(key) or "") for key in ("Name", "DefaultRuntime", "LoggingDriver", "CgroupDriver")]
    return About(*said)


def of_container(details: Mapping[str, Any], labels: Mapping[str, str]) -> Options:
    """How a container runs.

    Args:
        details: from `GET /containers/{name}/json`.
        labels: those of its image, which say nothing of the container.
    """
    config, host = details["Config"], details["HostConfig"]
    own = {"Hostname": "" if config.get("Hostname") == details["Id"][:12] else config.get("Hostname")}
    found = of_config({**config, **own})
    found |= flags(config, {"Tty": "tty", "OpenStdin": "interactive"})
    found |= of_host(host)
    for network, endpoint in ((details.get("NetworkSettings") or {}).get("Networks") or {}).items():
        aliases = [name for name in endpoint.get("Aliases") or () if name != details["Id"][:12]]
        if network not in ("bridge", "default", "host", "none"):
            found |= {("network-alias", name): GIVEN for name in aliases}
    return {key: said for key, said in found.items() if said and not inherited(key, said, labels)}


def inherited(key: Key, said: str, labels: Mapping[str, str]) -> bool:
    """Whether a label is the image's, or this project's own."""
    option, name = key
    theirs = name in labels and (labels[name] or GIVEN) == said
    return option == "label" and (theirs or name.startswith(label.OWN))


def of_config(config: Mapping[str, Any]) -> Options:
    """What an image sets, or a container in the same fields: `Config` in what the engine says of either."""
    found: Options = {(name, ""): str(config.get(key) or "") for key, name in IN_CONFIG.items()}
    found["workdir", ""] = config.get("WorkingDir") or "/"
    found["stop-signal", ""] = config.get("StopSignal") or "SIGTERM"
    found["stop-timeout", ""] = "" if config.get("StopTimeout") is None else str(config["StopTimeout"])
    found["entrypoint", ""] = shlex.join(config.get("Entrypoint") or ())
    found[COMMAND] = shlex.join(config.get("Cmd") or ())
    found |= pairs("env", config.get("Env") or ())
    found |= {("label", key): value or GIVEN for key, value in (config.get("Labels") or {}).items()}
    found |= {("expose", port): GIVEN for port in config.get("ExposedPorts") or ()}
    found |= {("volume", target): GIVEN for target in config.get("Volumes") or ()}
    check = config.get("Healthcheck") or {}
    kind, *words = check.get("Test") or [""]
    found["no-healthcheck", ""] = GIVEN if kind == "NONE" else ""
    found["health-cmd", ""] = words[0] if kind == "CMD-SHELL" and words else shlex.join(words)
    found |= {(name, ""): seconds(check.get(key) or 0) for key, name in HEALTH.items()}
    found["health-retries", ""] = str(check.get("Retries") or "")
    return {key: said for key, said in found.items() if said}


def of_host(host: Mapping[str, Any]) -> Options:
    """What `HostConfig` says of a container."""
    found: Options = {(name, ""): amount(host.get(key) or 0) for key, name in BYTES.items()}
    found |= {(name, ""): value(name, host.get(key)) for key, name in VALUES.items()}
    found |= flags(host, FLAGS)
    found |= {(name, listed(name, word)): GIVEN for key, name in LISTS.items() for word in host.get(key) or ()}
    for field, name in MAPS.items():
        found |= {(name, key): said or GIVEN for key, said in (host.get(field) or {}).items()}
    found["init", ""] = "" if host.get("Init") is None else GIVEN if host["Init"] else "false"
    found["cpus", ""] = f"{host['NanoCpus'] / 1e9:g}" if host.get("NanoCpus") else ""
    restart, log = host.get("RestartPolicy") or {}, host.get("LogConfig") or {}
    retries = restart.get("MaximumRetryCount")
    found["restart", ""] = (restart.get("Name") or "no") + (f":{retries}" if retries else "")
    found["log-driver", ""] = log.get("Type") or ""
    found |= {("log-opt", key): said or GIVEN for key, said in (log.get("Config") or {}).items()}
    found |= {("ulimit", one["Name"]): limit(one["Soft"], one["Hard"]) for one in host.get("Ulimits") or ()}
    found |= {("device", one.get("PathInContainer") or ""): device(one) for one in host.get("Devices") or ()}
    found["gpus", ""] = " and ".join(map(gpus, host.get("DeviceRequests") or ()))
    found |= mounted(host)
    for inside, sides in (host.get("PortBindings") or {}).items():
        ends = {published(side.get("HostIp") or "", side.get("HostPort") or "") for side in sides or ()}
        found["publish", inside] = ", ".join(sorted(ends)) or GIVEN
    return found


def mounted(host: Mapping[str, Any]) -> Options:
    """What `--volume` and `--mount` mounted, by the folder in the container."""
    found: Options = {}
    for bind in host.get("Binds") or ():
        source, _, rest = bind.partition(":")
        target, _, mode = rest.partition(":")
        found["volume", target] = volume(source, mode)
    for one in host.get("Mounts") or ():
        words = {
            "type": str(one.get("Type") or ""),
            "source": str(one.get("Source") or ""),
            "readonly": "true" if one.get("ReadOnly") else "",
            "bind-propagation": str((one.get("BindOptions") or {}).get("Propagation") or ""),
            "tmpfs-size": str((one.get("TmpfsOptions") or {}).get("SizeBytes") or ""),
        }
        found["mount", one.get("Target") or ""] = mount(words)
    return found


def flags(said: Mapping[str, Any], names: Mapping[str, str]) -> Options:
    """Those flags that are on, by docker's names."""
    return {(name, ""): GIVEN for key, name in names.items() if said.get(key)}


def pairs(option: str, words: Iterable[str]) -> Options:
    """`NAME=value` words by their names."""
    return {(option, word.partition("=")[0]): word.partition("=")[2] or '""' for word in words}
