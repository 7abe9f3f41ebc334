"""A switch that is killed before or after any of its docker commands, and a service that is well after the next run."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import PrivateEngine
from sites import Site
from switches import only
from versions import make

# In front of the real client: counts the commands that change something, and kills the process group at one of them.
CLIENT = """#!/bin/sh
case $1 in create|start|stop|rename|rm|update) ;; *) exec {docker} "$@" ;; esac
echo "$1" >> "$COUNT"
[ "$(wc -l < "$COUNT")" = "$POINT" ] || exec {docker} "$@"
[ "$WHEN" = after ] && {docker} "$@" > /dev/null 2>&1
kill -9 0
"""

# The docker commands of each kind of switch, in their order; a test compares them with those of a real run.
REPLACING = ["create", "create", "start", "rm", "stop", "start", "rename", "rename"]
GOING_BACK = ["create", "start", "rm", "rm"]
FINISHING = ["create", "rename", "rm"]
COMMANDS = {
    "first deployment": ["create", "start", "rename"],
    "upgrade": [*REPLACING, "rm"],  # the last removes the oldest kept container
    "rollback": REPLACING,
    "upgrade after going back": [*GOING_BACK, *REPLACING, "rm"],
    "finishing": FINISHING,
}
# Where the run before was killed already: the old version is stopped; the old version is renamed.
CUT_OFF = {"upgrade after going back": ("5", "after"), "finishing": ("7", "after")}
POINTS = [
    (kind, point + 1, when)
    for kind, commands in COMMANDS.items()
    for point in range(len(GOING_BACK) if kind == "upgrade after going back" else len(commands))
    for when in ("before", "after")
]


@pytest.fixture(scope="module")
def versions(private_engine: PrivateEngine, tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with three versions, made once; the tests change containers only."""
    private_engine.clean()
    site = Site(private_engine, tiny, tmp_path_factory.mktemp("killed"))
    site.set(settle=0.1)
    for tag in ("0.9", "1.0", "2.0"):
        make(site, tag)
    return site


@pytest.fixture
def client(tmp_path: Path, versions: Site) -> Iterator[dict[str, Any]]:
    """An environment in which the counting client is found first. Afterwards no container is left."""
    real = subprocess.run(["which", "docker"], capture_output=True, text=True, check=True).stdout.strip()
    wrapper = tmp_path / "docker"
    wrapper.write_text(CLIENT.format(docker=real))
    wrapper.chmod(0o755)
    count = tmp_path / "count"
    count.touch()
    yield {"PATH": f"{tmp_path}:{os.environ['PATH']}", "COUNT": str(count), "POINT": "0", "WHEN": "before"}
    versions.engine.remove_containers()


def prepare(site: Site, kind: str, client: dict[str, Any]) -> list[str]:
    """The situation before a switch, made with docker alone, and what is typed in it."""

    def container(verb: str, name: str, tag: str) -> None:
        script = f'echo "$VERSION" > /tmp/index.html; exec httpd -f -p {site.port} -h /tmp'
        detach = ["--detach"] if verb == "run" else []
        site.docker(
            verb, *detach, "--name", name, "--network", "host", "--init", f"tests/visdom:{tag}", "sh", "-c", script
        )

    site.engine.remove_containers()
    site.set(keep=5 if kind == "rollback" else 1)
    if kind == "rollback":
        container("run", "tests_service.2.0", "2.0")
        site.docker("stop", "tests_service.2.0")
    elif kind != "first deployment":
        container("create", "tests_service.0.9", "0.9")
    if kind != "first deployment":
        container("run", "tests_service", "1.0")
    words = ["rollback"] if kind == "rollback" else ["start", "--tag", "2.0"]
    if kind in CUT_OFF:
        point, when = CUT_OFF[kind]
        kill(site, words, client, point, when)
        Path(client["COUNT"]).write_text("")
    return words


def kill(site: Site, words: list[str], client: dict[str, Any], point: str, when: str) -> str:
    """Type `inv` and kill it at a docker command. Returns what it printed."""
    run = subprocess.run(
        site.command(*words), env={**site.environment, **client, "POINT": point, "WHEN": when}, start_new_session=True,
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == -signal.SIGKILL, run.stdout + run.stderr
    return run.stdout


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_point_is_known(versions: Site, client: dict[str, Any], kind: str) -> None:
    words = prepare(versions, kind, client)
    versions.inv(*words, **client)
    assert Path(client["COUNT"]).read_text().split() == COMMANDS[kind]


@pytest.mark.parametrize(("kind", "point", "when"), POINTS)
def test_killed_at_any_point_the_next_run_recovers(
    versions: Site, client: dict[str, Any], kind: str, point: int, when: str
) -> None:
    words = prepare(versions, kind, client)
    said = kill(versions, words, client, str(point), when)
    done = versions.inv("start", "--tag", "2.0")
    assert versions.answer() == "2.0", said + done.stdout
    only(versions, "2.0")


def test_a_build_and_a_look_only_tell(versions: Site, client: dict[str, Any]) -> None:
    words = prepare(versions, "rollback", client)
    kill(versions, words, client, "5", "after")
    assert versions.running() == {}
    assert "was cut off" in versions.inv("labels", "--tag", "1.0").stderr
    assert versions.running() == {}
    told = versions.inv("base").stdout
    assert "A switch of tests_service to 2.0 was cut off. To recover, type: inv -f" in told
    assert versions.running() == {}
