"""What `doctor` looks at for the command that the settings recommend: whether this engine and host can run it so."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from invoke import Context
from msgspec import Struct

from ..engine.facts import Facts
from ..host import limits
from ..host.debian import program, way_to_install
from ..host.port import answers
from ..host.shell import ask
from ..host.text import brief, size
from ..recommended.command import Recommended, parse, unusual
from ..service import data_folders, order, reach
from ..service.obstacles import NOT_INSTALLED, obstacle_to
from ..service.service import Service
from .finding import Finding, broken, doubtful, fine
from .of_engine import first_line

TOOLKIT = "nvidia-container-toolkit"
CONFIGURE = "nvidia-ctk runtime configure && systemctl restart docker"
DRIVER = "nvidia-driver"
UNKNOWN_TO_APT = "Apt here does not know {}, which is in {}."
HOOK = "nvidia-container-runtime-hook"  # by which docker knows that it can do --gpus
MODULE = Path("/proc/driver/nvidia/version")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
AMOUNT = re.compile(rf"({NUMBER.pattern})([kmgt]?)b?", re.IGNORECASE)  # as docker reads --memory=2g
UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}  # powers of two
THOSE_WHO_READ = 0o044  # permission bits of others than the owner


class Asked(Struct, frozen=True):
    """A frame, by its name in the settings, its service, and the command that they recommend."""

    frame: str
    service: Service
    command: Recommended


def asked(service: Service, frame: str) -> Asked:
    """The settings' own command for a frame.

    Raises:
        Exit: with code 1 for one that docker would not understand.
    """
    words = service.frame.recommended_command("newest")
    return Asked(frame, service, parse(shlex.join(words), f"{service.frame.image}:newest"))


def allowed(what: Asked) -> Iterator[Finding]:
    """Whether `start` would run that command without --trust."""
    found = unusual(what.command, order.allowance(what.service))
    if not found:
        yield fine("command", "what the settings recommend is plainly safe", what.frame)
    for sentence in found:
        yield doubtful("command", f"{sentence}; start refuses that without --trust.", None, what.frame)


def gpu(c: Context, what: Asked, facts: Facts) -> Iterator[Finding]:
    """The runtime that it names, and the driver where it is about GPUs."""
    runtime, gpus = what.command.value("runtime"), what.command.value("gpus")
    if runtime and runtime not in facts.runtimes:
        said, way = f"The engine has no runtime {runtime}.", "docker info --format '{{.Runtimes}}'"
        yield broken("runtime", *(with_toolkit(c, said) if runtime == "nvidia" else (said, way)), what.frame)
    elif runtime:
        yield fine("runtime", f"{runtime} is there", what.frame)
    elif gpus and what.service.engine.shares_files and "nvidia" not in facts.runtimes and program(HOOK) is None:
        said = "NVIDIA's container toolkit, which --gpus needs, is not found."
        yield doubtful("runtime", *with_toolkit(c, said), what.frame)
    if (runtime == "nvidia" or gpus) and what.service.engine.shares_files:
        yield driver(c, what.frame)


def with_toolkit(c: Context, said: str) -> tuple[str, str | None]:
    """A sentence about what lacks NVIDIA's container toolkit, and what to type for that: Debian itself has it not."""
    if program("nvidia-ctk"):
        return said, CONFIGURE
    way = way_to_install(c, TOOLKIT)
    if not way:
        return f"{said} {UNKNOWN_TO_APT.format(TOOLKIT, 'the repository of NVIDIA')}", None
    return said, f"{way} && {CONFIGURE}"


def driver(c: Context, frame: str) -> Finding:
    """The driver of this machine's GPUs."""
    result = ask(c, ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"])
    if result.ok and result.stdout.strip():
        return fine("driver", f"nvidia: {brief('; '.join(result.stdout.strip().splitlines()))}", frame)
    if MODULE.exists():
        said = f"The nvidia driver is loaded, and nvidia-smi fails: {brief(first_line(result.stdout + result.stderr))}."
        return doubtful("driver", said, "nvidia-smi", frame)
    said, way = "There is no nvidia driver on this machine.", way_to_install(c, DRIVER)
    elsewhere = UNKNOWN_TO_APT.format(DRIVER, "the part non-free of Debian")
    return doubtful("driver", said if way else f"{said} {elsewhere}", way, frame)


def resources(what: Asked, facts: Facts) -> Iterator[Finding]:
    """The limits, processors and memory that it asks for."""
    found = [*ulimits(what), *amounts(what, facts)]
    yield from found
    if not found:
        yield fine("limits", "the engine can give what the command asks for", what.frame)


def ulimits(what: Asked) -> Iterator[Finding]:
    """The limits that the engine may not give."""
    engine = what.service.engine
    wanted = what.command.values("ulimit")
    had = limits.of_listener(engine.endpoint.socket) if wanted and engine.shares_files else None
    for value in wanted if had else ():
        name, _, numbers = value.partition("=")
        _, _, hard = numbers.rpartition(":")
        if had and hard.lstrip("-").isdigit() and not had.allows(name, int(hard)):
            said = f"The engine may not give --ulimit {value}: it has {had.hard[name]} and no CAP_SYS_RESOURCE"
            if what.command.value("runtime"):
                yield doubtful("limits", f"{said}; its runtime may leave it out.", None, what.frame)
            else:
                yield broken("limits", f"{said}, so docker start fails.", None, what.frame)


def amounts(what: Asked, facts: Facts) -> Iterator[Finding]:
    """More processors or memory than the engine's host has."""
    cpus = what.command.value("cpus") or ""
    if NUMBER.fullmatch(cpus) and facts.cpus and float(cpus) > facts.cpus:
        yield broken("limits", f"--cpus {cpus} is more than the {facts.cpus} that there are.", None, what.frame)
    for option in ("memory", "shm-size"):
        given = what.command.value(option) or ""
        read = AMOUNT.fullmatch(given)
        if read and facts.memory and float(read[1]) * 2 ** UNITS[read[2].lower()] > facts.memory:
            said = f"--{option} {given} is more than the memory that there is, {size(facts.memory)}."
            yield doubtful("limits", said, None, what.frame)


def data(what: Asked) -> Iterator[Finding]:
    """The data directory, its folders, and what else is mounted."""
    service, frame = what.service, what.frame
    folder, binds = Path(service.settings.data), [Path(bind) for bind in what.command.binds()]
    if any(bind == folder or folder in bind.parents for bind in binds):
        what_is_wrong, way = data_folders.fault(folder)
        if what_is_wrong:
            yield broken("data", f"The data directory {folder} {what_is_wrong}.", way, frame)
            return
        lacking = [name for name in data_folders.FOLDERS if data_folders.missing(folder / name)]
        if lacking:
            said = f"{folder} lacks {', '.join(lacking)}, which the next start makes."
            yield doubtful("data", said, " ".join(["mkdir", *(str(folder / name) for name in lacking)]), frame)
        else:
            yield fine("data", f"{folder} has its {len(data_folders.FOLDERS)} folders", frame)
    for bind in binds:
        if bind != folder and data_folders.missing(bind):
            yield broken("data", f"The volume's source {bind} does not exist.", data_folders.mkdir(bind), frame)


def env_files(what: Asked) -> Iterator[Finding]:
    """The files with passwords."""
    for path in map(Path, what.command.values("env-file")):
        if data_folders.missing(path):
            yield broken("env file", f"There is no file {path}, which --env-file names.", None, what.frame)
        elif path.stat().st_mode & THOSE_WHO_READ:
            yield doubtful("env file", f"Others than its owner may read {path}.", f"chmod 600 {path}", what.frame)
        else:
            yield fine("env file", f"{path} is its owner's alone", what.frame)


def ports(what: Asked) -> Iterator[Finding]:
    """Whether the ports are free, or the service's own and answering."""
    service, taken = what.service, reach.taken(what.service, what.command)
    ours = service.running()
    if stranger := reach.stranger(service, taken, ours) if taken else "":
        yield broken("port", f"{stranger}, which is not {service.name}. Stop it first.", None, what.frame)
        return
    for address, port in taken:
        if not ours:
            yield fine("port", f"{port} is free", what.frame)
        elif not service.engine.shares_files or answers(address or "127.0.0.1", port):
            yield fine("port", f"{port} is {service.name}'s", what.frame)
        else:
            said = f"{service.name} runs, and nothing answers at port {port}."
            yield doubtful("port", said, f"docker logs --tail 20 {service.name}", what.frame)


def connections(what: Asked) -> Iterator[Finding]:
    """Whether new connections can wait during a switch."""
    service, taken = what.service, reach.taken(what.service, what.command)
    if not taken or not service.settings.start.hold:
        return
    obstacle = obstacle_to(service, taken)
    if obstacle:
        way = "inv engine" if obstacle == NOT_INSTALLED else None
        yield doubtful("connections", f"A switch refuses clients for a moment: {obstacle}.", way, what.frame)
    else:
        yield fine("connections", "new ones wait during a switch", what.frame)
