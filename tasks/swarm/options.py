"""The options of a recommended command as those of a Swarm service, in the words of a stack file.

Each is translated, or it is refused with the reason: nothing is dropped in silence. Where the word is the same, Swarm
replaces `{{…}}` in some values, so that is refused as well.

Sources: docker/cli (cli/compose/convert/service.go, cli/compose/types/types.go), read for the clients 20.10 to 28, and
https://docs.docker.com/reference/compose-file/legacy-versions/.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ..recommended.command import Recommended, spelled
from ..recommended.forms import size
from ..recommended.grammar import Malformed, Option
from ..recommended.values import PUBLISH, port_range
from .mounts import Piece, mount, shm_size, tmpfs, untemplated, volume

NO_WORD = "a Swarm service has no word for it"
RUNTIME = (
    "a node runs every service by its own default runtime. Set it in /etc/docker/daemon.json of each node "
    '("default-runtime": "{0}"), restart docker there, then add: --default-runtime {0}'
)
GPUS = (
    "a Swarm service cannot ask for GPUs. Set the default runtime of each node to nvidia, and say which GPUs with "
    "--env NVIDIA_VISIBLE_DEVICES=all"
)


def translated(command: Recommended, default_runtime: str) -> tuple[Piece, list[str]]:
    """The service's part of a stack file that says what the options say, and what stands against it.

    Args:
        default_runtime: the runtime that every node has by default, as its owner says; "" where nobody says it.

    Returns:
        The piece, and a short sentence for each option that cannot be translated.
    """
    found: Piece = {"deploy": {"restart_policy": {"condition": "none"}}}
    refused: list[str] = []
    for option in command.options:
        if option.name == "runtime" and option.value == default_runtime:
            continue
        try:
            merge(found, read(option))
        except ValueError as error:
            refused.append(f"{spelled(option, ' ')}: {error}")
    return found, refused


def read(option: Option) -> Piece:
    """What one option says, as a piece.

    Raises:
        ValueError: with the reason, when a service cannot have it.
    """
    name, said = option.name, option.value
    if name in FLAGS:
        return {FLAGS[name]: (said or "true") == "true"}
    if name not in READERS:
        raise Malformed(NO_WORD)
    return READERS[name](said or "")


def merge(into: Piece, more: Mapping[str, Any]) -> None:
    """Add a piece: lists grow, parts are merged, and of other values the last counts, as docker has it."""
    for key, said in more.items():
        before = into.get(key)
        if isinstance(before, dict) and isinstance(said, dict):
            merge(before, said)
        elif isinstance(before, list) and isinstance(said, list) and key != "entrypoint":
            before.extend(said)
        else:
            into[key] = said


def plain(key: str) -> Callable[[str], Piece]:
    """A reader of a value that goes by another name, or by the same."""
    return lambda said: {key: said}


def within(*keys: str, form: Callable[[str], Any] = str) -> Callable[[str], Piece]:
    """A reader of a value that stands in a part of a part."""

    def found(said: str) -> Piece:
        piece: Any = form(said)
        for key in reversed(keys):
            piece = {key: piece}
        return dict(piece)

    return found


def entrypoint(said: str) -> Piece:
    if not said:
        raise Malformed("a Swarm service cannot take an image's entrypoint away")
    return {"entrypoint": [said]}


def label(said: str) -> Piece:
    name, _, text = said.partition("=")
    return {"labels": {name: text}}


def log_option(said: str) -> Piece:
    name, _, text = said.partition("=")
    return {"logging": {"options": {name: text}}}


def network(said: str) -> Piece:
    """A network: the host's, or one of the swarm's; without one, a node's own bridge, as with `docker run`."""
    if said in ("bridge", "default"):
        return {}
    if said == "none":
        raise Malformed("a Swarm service cannot be without a network")
    return {"networks": [said]}


def publish(said: str) -> Piece:
    """A port of each node, not one that the swarm hands to any of them."""
    match = PUBLISH.fullmatch(said)
    if match is None:
        raise Malformed("is not of the form ip:host:container/protocol")
    if match["ip"]:
        raise Malformed("a Swarm service publishes on every address of a node")
    inside = port_range(match["container"])
    outside = port_range(match["host"]) if match["host"] else ()
    if outside and len(outside) != len(inside):
        raise Malformed("a Swarm service takes no port out of a range")
    ports: list[Piece] = []
    for place, port in enumerate(inside):
        at = {"published": outside[place]} if outside and outside[place] else {}
        ports.append({"target": port, **at, "protocol": match["protocol"] or "tcp", "mode": "host"})
    return {"ports": ports}


def restart(said: str) -> Piece:
    """When a task is replaced after its end. `unless-stopped` is `always`: nobody stops a task by hand."""
    policy, _, times = said.partition(":")
    condition = {"no": "none", "": "none", "on-failure": "on-failure"}.get(policy, "any")
    most = {"max_attempts": int(times)} if times.isdigit() and int(times) else {}
    return {"deploy": {"restart_policy": {"condition": condition, "delay": "1s", **most}}}


def ulimit(said: str) -> Piece:
    name, _, limits = said.partition("=")
    soft, _, hard = limits.partition(":")
    return {"ulimits": {name: {"soft": int(soft), "hard": int(hard or soft)}}}


def refused(reason: str) -> Callable[[str], Piece]:
    """A reader that refuses; `{0}` in the reason is the value."""

    def refuse(said: str) -> Piece:
        raise Malformed(reason.replace("{0}", said))

    return refuse


FLAGS = {"init": "init", "read-only": "read_only", "tty": "tty"}

READERS: dict[str, Callable[[str], Piece]] = {
    "cpus": within("deploy", "resources", "limits", "cpus"),
    "entrypoint": entrypoint,
    "env": lambda said: {"environment": [untemplated(said)]},
    "env-file": lambda said: {"env_file": [said]},
    "gpus": refused(GPUS),
    "health-cmd": lambda said: {"healthcheck": {"test": ["CMD-SHELL", said]}},
    "health-interval": within("healthcheck", "interval"),
    "health-retries": within("healthcheck", "retries", form=int),
    "health-start-period": within("healthcheck", "start_period"),
    "health-timeout": within("healthcheck", "timeout"),
    "hostname": lambda said: {"hostname": untemplated(said)},
    "label": label,
    "log-driver": within("logging", "driver"),
    "log-opt": log_option,
    "memory": within("deploy", "resources", "limits", "memory", form=lambda said: str(size(said))),
    "memory-reservation": within("deploy", "resources", "reservations", "memory", form=lambda said: str(size(said))),
    "mount": mount,
    "network": network,
    "no-healthcheck": lambda said: {"healthcheck": {"disable": True}},
    "pids-limit": within("deploy", "resources", "limits", "pids", form=int),
    "publish": publish,
    "restart": restart,
    "runtime": refused(RUNTIME),
    "shm-size": shm_size,
    "stop-signal": plain("stop_signal"),
    "stop-timeout": lambda said: {"stop_grace_period": f"{int(said)}s"},
    "tmpfs": tmpfs,
    "ulimit": ulimit,
    "user": plain("user"),
    "volume": volume,
    "workdir": plain("working_dir"),
}
