"""The grammar of `docker run`: its options, and how they are spelled.

Everything here reads text and nothing is run. What may be run is decided in command.py.

Sources: docker/cli (cli/command/container/opts.go and run.go) and spf13/pflag (flag.go), read for the clients 20.10
to 29.
"""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct


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

SHORT = dict(
    pair.split("=")
    for pair in words(
        """
        a=attach c=cpu-shares d=detach e=env h=hostname i=interactive l=label m=memory p=publish P=publish-all q=quiet
        t=tty u=user v=volume w=workdir
        """
    )
)

ALIASES = {"net": "network", "net-alias": "network-alias", "dns-opt": "dns-option"}

# Go's strconv.ParseBool, and nothing else.
TRUTH = dict.fromkeys(words("1 t T TRUE true True"), "true") | dict.fromkeys(words("0 f F FALSE false False"), "false")

# Of these flags, "off" says something else than leaving the flag out.
SPOKEN_OFF = frozenset({"disable-content-trust", "init"})


class Malformed(ValueError):
    """Text that docker would not read; the message is the end of a sentence."""


class Option(Struct, frozen=True):
    """One option: docker's long name without dashes, and its value; None is a flag that is on."""

    name: str
    value: str | None


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
