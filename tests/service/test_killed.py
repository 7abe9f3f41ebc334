"""A switch that is killed around any of its docker commands, and a service that is well after the next run."""

import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from sites import Site
from switches import Run, only
from versions import SERVE

from tasks.engine import label
from tasks.service import ticket

# In front of the real client: counts the commands that change something, and kills the process group at one of them.
# What the client has asked the engine for, goes on.
CLIENT = """#!/bin/sh
case $1 in create|start|stop|rename|rm|update) ;; *) exec {docker} "$@" ;; esac
echo "$1" >> "$COUNT"
[ "$(wc -l < "$COUNT")" = "$POINT" ] || exec {docker} "$@"
case $WHEN in
  after) {docker} "$@" > /dev/null 2>&1 ;;
  during) {docker} "$@" > /dev/null 2>&1 & sleep 0.2 ;;
esac
kill -9 0
"""

# The docker commands of each kind of switch, in their order; a test compares them with those of a real run.
REHEARSING = ["create", "start", "rm"]
SWITCHING = ["stop", "start", "rename", "rename"]
REPLACING = ["create", *REHEARSING, *SWITCHING]
GOING_BACK = ["create", "start", "rm", "rm"]
FINISHING = ["create", "rename", "rm"]
COMMANDS = {
    "first deployment": ["create", "start", "rename"],
    "upgrade": [*REPLACING, "rm"],  # the last removes the oldest kept container
    "rollback": ["create", *SWITCHING],  # the version was healthy here before
    "upgrade after going back": [*GOING_BACK, *REPLACING, "rm"],
    "finishing": FINISHING,
}
# Where the run before was killed already: the old version is stopped; the old version is renamed.
CUT_OFF = {"upgrade after going back": ("5", "after"), "finishing": ("7", "after")}
# After each command but the last, after which all is done. Before the first, a run has changed nothing.
POINTS = [
    (kind, point)
    for kind, commands in COMMANDS.items()
    for point in range(1, len(GOING_BACK) + 1 if kind == "upgrade after going back" else len(commands))
    # At these, a rollback leaves what an upgrade leaves: the candidate beside the old version, and in its place.
    if (kind, point) not in (("rollback", 1), ("rollback", 3))
]
DURING = [("first deployment", 2), ("upgrade", 5), ("upgrade", 6), ("rollback", 2), ("upgrade after going back", 2)]
SLOW = "echo $VERSION > /tmp/index.html; trap 'sleep 1; exit' TERM; httpd -f -p {port} -h /tmp & wait"
VERSIONS: dict[str, dict[str, str]] = {"0.9": {}, "1.0": {}, "2.0": {}}


@pytest.fixture
def client(tmp_path: Path) -> dict[str, Any]:
    """An environment in which the counting client is found first."""
    wrapper = tmp_path / "docker"
    wrapper.write_text(CLIENT.format(docker=shutil.which("docker")))
    wrapper.chmod(0o755)
    count = tmp_path / "count"
    count.touch()
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "COUNT": str(count), "POINT": "0", "WHEN": "before"}


def prepare(site: Site, kind: str, client: dict[str, Any], slow: bool = False) -> list[str]:
    """The situation before a switch, made with docker alone, and what is typed in it. `slow`: as the old one stops."""

    def container(name: str, tag: str, start: bool = True) -> str:
        script = (SLOW if slow else SERVE).format(port=site.port)
        return site.engine.container(name, f"tests/visdom:{tag}", ["sh", "-c", script], start=start)

    site.engine.remove_containers()
    site.set(keep=5 if kind == "rollback" else 1)
    if kind == "rollback":
        site.engine.request("POST", f"/containers/{container('tests_service.2.0', '2.0')}/stop")
    elif kind != "first deployment":
        replaced(site)
    if kind != "first deployment":
        container("tests_service", "1.0")
    words = ["rollback"] if kind == "rollback" else ["start", "--tag", "2.0"]
    if kind in CUT_OFF:
        point, when = CUT_OFF[kind]
        kill(site, words, client, point, when)
        Path(client["COUNT"]).write_text("")
    return words


def replaced(site: Site) -> None:
    """A kept container of 0.9, as a switch would have left it."""
    labels = {label.SERVICE: "tests_service", label.TICKET: ticket.write("0.9", (), 100.0, 1).text()}
    words = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    site.docker("create", "--name", "tests_service.0.9", *words, "tests/visdom:0.9", "true")


def kill(site: Site, words: list[str], client: dict[str, Any], point: str, when: str) -> str:
    """Type `inv` and kill it at a docker command. Returns what it printed."""
    return Run(site, *words, **{**client, "POINT": point, "WHEN": when}).end(-signal.SIGKILL)


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_point_is_known(versions: Site, client: dict[str, Any], kind: str) -> None:
    words = prepare(versions, kind, client)
    versions.inv(*words, **client)
    assert Path(client["COUNT"]).read_text().split() == COMMANDS[kind]
    assert "2.0 is already running" in versions.inv("start", "--tag", "2.0").stdout
    only(versions, "2.0")


@pytest.mark.parametrize(("kind", "point"), POINTS)
def test_killed_at_any_point_the_next_run_recovers(
    versions: Site, client: dict[str, Any], kind: str, point: int
) -> None:
    words = prepare(versions, kind, client)
    said = kill(versions, words, client, str(point), "after")
    done = versions.inv("start", "--tag", "2.0", "--no-rehearsal")
    assert versions.answer() == "2.0", said + done.stdout
    only(versions, "2.0")


@pytest.mark.parametrize(("kind", "point"), DURING)
def test_killed_while_the_engine_is_at_work_the_next_run_recovers(
    versions: Site, client: dict[str, Any], kind: str, point: int
) -> None:
    assert COMMANDS[kind][point - 1] in ("stop", "start")
    words = prepare(versions, kind, client, slow=True)
    said = kill(versions, words, client, str(point), "during")
    done = versions.inv("start", "--tag", "2.0", "--no-rehearsal")
    assert versions.answer() == "2.0", said + done.stdout
    only(versions, "2.0")
    time.sleep(1.2)  # what was still on its way has happened
    only(versions, "2.0")


def test_a_build_and_a_look_only_tell_of_a_switch_that_was_cut_off(versions: Site, client: dict[str, Any]) -> None:
    words = prepare(versions, "rollback", client)
    kill(versions, words, client, "2", "after")
    sentence = "A switch of tests_service to 2.0 was cut off. To recover, type: "
    assert sentence in versions.inv("labels", "--tag", "1.0").stderr
    assert sentence in versions.inv("base").stdout
    assert versions.inv("--dry", "frame").stdout.count(sentence) == 1
    assert versions.running() == {}
    versions.inv("start", "--tag", "1.0")
    assert versions.running() == {"tests_service": "tests/visdom:1.0"}
    assert versions.answer() == "1.0"
