"""The grammar of `docker run`: its options, how they are spelled, and the forms that some of their values take.

Everything here reads text and nothing is run. What may be run is decided in recommended.py.

Sources: docker/cli (cli/command/container/opts.go and run.go, opts/mount.go), spf13/pflag (flag.go), moby
(volume/mounts/linux_parser.go), docker/go-connections (nat), distribution/reference (normalize.go); read for the
clients 20.10 to 29.
"""

import os.path
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


# Options that take no value, or one after an equals sign.
FLAGS = words(
    """
    detach disable-content-trust help init interactive no-healthcheck oom-kill-disable privileged publish-all quiet
    read-only rm sig-proxy tty use-api-socket
    """
)

# Options that take a value, always. The ones of Windows are hidden by docker but it reads them.
VALUES = words(
    """
    add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile
    cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems
    detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops
    dns dns-option dns-search domainname entrypoint env env-file expose gpus group-add
    health-cmd health-interval health-retries health-start-interval health-start-period health-timeout hostname
    io-maxbandwidth io-maxiops ip ip6 ipc isolation kernel-memory label label-file link link-local-ip
    log-driver log-opt mac-address memory memory-reservation memory-swap memory-swappiness mount name network
    network-alias oom-score-adj pid pids-limit platform publish pull restart runtime security-opt shm-size
    stop-signal stop-timeout storage-opt sysctl tmpfs ulimit user userns uts volume volume-driver volumes-from workdir
    """
)

SHORT = {
    "a": "attach", "c": "cpu-shares", "d": "detach", "e": "env", "h": "hostname", "i": "interactive", "l": "label",
    "m": "memory", "p": "publish", "P": "publish-all", "q": "quiet", "t": "tty", "u": "user", "v": "volume",
    "w": "workdir",
}  # fmt: skip

ALIASES = {"net": "network", "net-alias": "network-alias", "dns-opt": "dns-option"}

# Go's strconv.ParseBool, and nothing else.
TRUTH = dict.fromkeys(words("1 t T TRUE true True"), "true") | dict.fromkeys(words("0 f F FALSE false False"), "false")

# Of these flags, "off" says something else than leaving the flag out.
SPOKEN_OFF = frozenset({"disable-content-trust", "init"})

VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")

PORTS = r"[0-9]{1,5}(?:-[0-9]{1,5})?"
PUBLISH = re.compile(
    rf"(?:(?:(?P<ip>\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(?P<host>{PORTS})?:)?"
    rf"(?P<container>{PORTS})(?:/(?P<protocol>tcp|udp|sctp))?"
)

# One field of Go's encoding/csv: quoted from end to end, or without any quote.
FIELD = re.compile(r'(?:"(?P<quoted>(?:[^"]|"")*)"|(?P<bare>[^",]*))(?P<end>,|\Z)')
BARE_KEYS = {"readonly", "volume-nocopy", "bind-nonrecursive"}
MOUNT_KEYS = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}


class Malformed(ValueError):
    """Text that docker would not read; the message is the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: docker's long name without dashes, and its value; None is a flag that is on."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Volume:
    """A `--volume`: an empty source is an anonymous volume, an empty mode was not written."""

    source: str
    target: str
    mode: str


def options_of(arguments: Iterable[str]) -> tuple[list[Option], list[str]]:
    """Split what follows `docker run` into options, in the order written, and the rest: the image and its command.

    Options end at the first word that is none, or at `--` (pflag with SetInterspersed(false)). A flag's value is
    written out here: "true" or "false".

    Raises:
        Malformed: for an option that docker run does not have, a missing value, or a flag that is neither on nor off.
    """
    rest = deque(arguments)
    found: list[Option] = []
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.popleft()
        if word == "--":
            break
        if word.startswith("--"):
            found.append(long_option(word, rest))
        else:
            found.extend(short_options(word[1:], rest))
    return found, list(rest)


def long_option(word: str, rest: deque[str]) -> Option:
    """Read `--name`, `--name=value` or `--name value`; the last takes its value from `rest`.

    Raises:
        Malformed: see `options_of`.
    """
    written, equals, value = word[2:].partition("=")
    name = ALIASES.get(written, written)
    if name in FLAGS:
        return Option(name, truth(name, value if equals else "true"))
    if name not in VALUES:
        raise Malformed(f"has an option that docker run does not know, --{written}")
    return Option(name, value if equals else next_word(name, rest))


def short_options(letters: str, rest: deque[str]) -> list[Option]:
    """Read what follows a single dash: flags joined together, and at the end perhaps one option with a value.

    Raises:
        Malformed: see `options_of`.
    """
    found: list[Option] = []
    while letters:
        letter, letters = letters[0], letters[1:]
        name = SHORT.get(letter)
        # pflag skips what begins with "test." in silence, because it takes it for a flag of `go test`.
        if name is None or (letter + letters).startswith("test."):
            raise Malformed(f"has an option that docker run does not know, -{letter}{letters}")
        given = len(letters) > 1 and letters[0] == "="  # a lone equals sign is a letter, or a value
        if name in FLAGS:
            found.append(Option(name, truth(name, letters[1:] if given else "true")))
            letters = "" if given else letters
        else:
            value = letters[1:] if given else letters
            found.append(Option(name, value or next_word(name, rest)))
            letters = ""
    return found


def next_word(name: str, rest: deque[str]) -> str:
    """The next word, whatever it is: pflag takes `--env --init` for an environment variable.

    Raises:
        Malformed: when there is none.
    """
    if not rest:
        raise Malformed(f"ends where --{name} needs a value")
    return rest.popleft()


def truth(name: str, value: str) -> str:
    """A flag's value in one spelling.

    Raises:
        Malformed: when it is neither on nor off.
    """
    if value not in TRUTH:
        raise Malformed(f"sets --{name} to something that is neither true nor false")
    return TRUTH[value]


def full_reference(image: str) -> tuple[str, str]:
    """An image's repository and tag, with everything that docker leaves out of a name written out."""
    host, slash, path = image.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, path = "docker.io", image
    if host == "index.docker.io":
        host = "docker.io"
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    repository, colon, tag = path.partition(":")
    return f"{host}/{repository}", tag if colon else "latest"


def clean(path: str) -> str:
    """An absolute path as the engine cleans it: `.`, `..` and double slashes resolved by text alone."""
    return os.path.normpath("/" + path.lstrip("/"))


def volume(value: str) -> Volume:
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


def mount(value: str) -> dict[str, str]:
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
