"""Labels made by the thousand: harmless ones, ones with one danger, and ones that were tampered with."""

import re
import shlex

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from recommended.samples import DANGERS, IMAGE, Words

MANY = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))  # as many as the profile says


VALUES: dict[str, list[str]] = {
    "cpu-shares": ["512", "0"],
    "cpus": ["0.5", "1"],
    "cpuset-cpus": ["0", "0-1"],
    "env": ["A=b", "A=", "B= c $X", "-=-"],
    "expose": ["80", "80-82/udp"],
    "health-cmd": ["true", "exit 1 || -d"],
    "health-interval": ["1s", "2m"],
    "health-retries": ["3"],
    "health-timeout": ["1s"],
    "hostname": ["host", "a.b"],
    "label": ["a=b", "c", "d=--privileged"],
    "log-driver": ["json-file", "local", "none"],
    "log-opt": ["max-size=1m", "max-file=2"],
    "memory": ["64m", "1g"],
    "memory-reservation": ["16m"],
    "memory-swap": ["-1", "2g"],
    "mount": ["type=tmpfs,target=/t", "type=volume,dst=/v,source=vol1", 'type=bind,"src=/data",dst=/m', "dst=/a,ro=0"],
    "network": ["host", "none", "bridge", "default"],
    "oom-score-adj": ["10", "-5"],
    "pids-limit": ["-1", "100"],
    "publish": ["8339:8339", "127.0.0.1:81:81/tcp", "82-84:82-84", "85", "[::1]:86:86/udp", "90-99:9"],
    "restart": ["no", "always", "unless-stopped", "on-failure:3"],
    "runtime": ["runc"],
    "shm-size": ["2g", "64m"],
    "stop-signal": ["SIGINT", "9"],
    "stop-timeout": ["5"],
    "tmpfs": ["/tmp", "/tmp:size=1m,noexec"],
    "ulimit": ["nofile=64:128", "memlock=-1", "core=0"],
    "user": ["1000", "0:0"],
    "volume": ["/data:/data", "/data//x/../y:/x:ro", "/data:/data:ro,z", "vol2:/y:nocopy", "vol2:/y", "/anonymous"],
    "workdir": ["/", "/x"],
}


FLAGS = ["init", "no-healthcheck", "read-only", "tty"]


LETTERS = {
    "cpu-shares": "c",
    "env": "e",
    "hostname": "h",
    "label": "l",
    "memory": "m",
    "publish": "p",
    "user": "u",
    "volume": "v",
    "workdir": "w",
    "tty": "t",
}


@st.composite
def options(draw: st.DrawFn) -> Words:
    """One harmless option in any of its spellings."""
    if draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from(FLAGS))
        off_or_on = draw(st.sampled_from(["", "", "=1", "=t", "=T", "=TRUE", "=true", "=True", "=0", "=F", "=False"]))
        return [f"-t{off_or_on}" if name == "tty" and draw(st.booleans()) else f"--{name}{off_or_on}"]
    name = draw(st.sampled_from(sorted(VALUES)))
    value = draw(st.sampled_from(VALUES[name]))
    written = {"network": "net"}.get(name, name) if draw(st.booleans()) else name
    spellings = [[f"--{written}", value], [f"--{written}={value}"]]
    if name in LETTERS:
        letter = draw(st.sampled_from(["-", "-t"])) + LETTERS[name]
        spellings += [[letter, value], [letter + value], [f"{letter}={value}"]]
    return draw(st.sampled_from(spellings))


def among(draw: st.DrawFn, middle: list[Words]) -> tuple[Words, Words]:
    """A whole command line with some words among its options, once for docker run and once for docker create."""
    parts = [(words, words) for words in [*draw(st.lists(options(), max_size=6)), *middle]]
    name = draw(st.sampled_from([["--name", "service"], ["--name=service"]]))
    parts += [(name, []), draw(st.sampled_from([(["-d"], []), (["--detach"], []), (["-td"], ["-t"]), (["-d=t"], [])]))]
    parts = draw(st.permutations(parts))
    end = draw(st.sampled_from([[], ["--"]]))
    run, create = ([word for part in parts for word in part[side]] + end for side in (0, 1))
    return run, create


@st.composite
def harmless(draw: st.DrawFn) -> tuple[str, Words]:
    """A harmless label, and the same options for docker create."""
    run, create = among(draw, [])
    start = draw(st.sampled_from(["docker run", "docker  container run"]))
    words = ["--init", "-v", "/:/x", "--", "", "a b", "$(id)", "'", "`id`", "$"]
    command = draw(st.lists(st.sampled_from(words), max_size=3))
    return f"{start} {shlex.join([*run, IMAGE, *command])}", create


@st.composite
def dangerous(draw: st.DrawFn) -> str:
    """A label that is harmless but for one thing."""
    run, _ = among(draw, [draw(st.sampled_from(sorted(DANGERS.values())))])
    return shlex.join(["docker", "run", *run, IMAGE])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A harmless label in which some characters or words were changed."""
    text, _ = draw(harmless())
    pieces = list(text) if draw(st.booleans()) else re.split("( )", text)
    new = [
        "",
        " ",
        "-",
        "--",
        "=",
        ":",
        "/",
        "..",
        ",",
        "'",
        '"',
        "\\",
        "v",
        "/etc",
        "--privileged",
        "-v/:/x",
        "0",
        "é",
        "\n",
    ]
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(pieces) - 1))
        if draw(st.booleans()):
            pieces[place] = draw(st.sampled_from([*new, pieces[draw(st.integers(0, len(pieces) - 1))]]))
        else:
            pieces.insert(place, draw(st.sampled_from(new)))
    return "".join(pieces)
