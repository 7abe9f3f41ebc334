"""An engine that is lost in the middle of a switch, as with its machine, and the service after it came back."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import PrivateEngine
from sites import WIDE, Site
from switches import Run, carry, leftovers, only, told_to_stop
from versions import SERVE, make_all

# In front of the real client: ends the engine before or after one of the commands that change something.
CLIENT = """#!/bin/sh
case $1 in create|start|stop|rename|rm|update) ;; *) exec {docker} "$@" ;; esac
echo "$1" >> "$COUNT"
[ "$(wc -l < "$COUNT")" = "$POINT" ] || exec {docker} "$@"
[ "$WHEN" = after ] && {docker} "$@" > /dev/null 2>&1
kill -9 "$ENGINE"
exec {docker} "$@"
"""
POLICIES = ["unless-stopped", "always"]
HOST = ("--network", "host", "--init", "--restart")
ONCE_LATE = f"test -e /tmp/seen || {{{{ touch /tmp/seen; sleep 2; }}}}; {SERVE}"  # when its container is new
STUBBORN = SERVE.replace("exec ", "trap '' TERM; ") + " & while :; do sleep 0.1; done"


# An old and a new version for each restart policy.
VERSIONS: dict[str, dict[str, Any]] = {
    "stubborn": {"script": STUBBORN, "options": ("--network", "host", "--stop-timeout", "2")},
    **{f"old-{policy}": {"options": (*HOST, policy)} for policy in POLICIES},
    **{f"new-{policy}": {"options": (*HOST, policy), "script": ONCE_LATE} for policy in POLICIES},
}


@pytest.fixture(scope="module")
def made(private_engine: PrivateEngine, tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site on an engine of its own, for the tests to kill."""
    with PrivateEngine() as engine:
        carry(private_engine, engine, tiny)
        site = Site(engine, tiny, tmp_path_factory.mktemp("lost"))
        make_all(site, VERSIONS)
        yield site


@pytest.fixture
def lost(made: Site) -> Iterator[Site]:
    made.set(settle=0.01, timeout=WIDE)
    if made.engine.docker("version", check=False).returncode:  # a failed test may leave it dead
        made.engine.kill()
        made.engine.start()
    made.engine.remove_containers()
    yield made


def gone(said: str) -> None:
    """What a run says when it loses the engine: once why, and the last known state."""
    last = said.strip().splitlines()[-1]
    assert "does not answer" in last or "cannot be" in last, said
    assert last.count("does not answer") <= 1, said
    assert "Last seen: " in last and "The next inv start recovers." in last, said


def back(site: Site, *words: str) -> str:
    """Bring the engine back, and type `inv start` once its containers had time to fight for the port."""
    site.engine.kill()
    site.engine.start()
    time.sleep(0.5)
    return site.inv("start", *words).stdout


@pytest.mark.parametrize("policy", POLICIES)
def test_lost_during_the_wait_while_the_old_one_is_stopped(lost: Site, policy: str) -> None:
    lost.inv("start", "--tag", f"old-{policy}")
    run = Run(lost, "start", "--tag", f"new-{policy}", "--no-rehearsal").until("starting")
    lost.engine.kill()
    said = run.end(1)
    gone(said)
    assert "the old version was stopped, the candidate was being started" in said
    assert f"old-{policy} is already running" in back(lost, "--tag", f"old-{policy}")
    only(lost, f"old-{policy}")
    assert f"new-{policy} runs" in lost.inv("start", "--tag", f"new-{policy}").stdout
    only(lost, f"new-{policy}")


def test_lost_during_the_rehearsal(lost: Site) -> None:
    lost.inv("start", "--tag", "old-always")
    run = Run(lost, "start", "--tag", "new-always").until("starting")
    lost.engine.kill()
    said = run.end(1)
    gone(said)
    assert "the old version runs" in said
    assert "new-always runs" in back(lost, "--tag", "new-always")
    only(lost, "new-always")


def test_lost_in_a_first_deployment(lost: Site) -> None:
    run = Run(lost, "start", "--tag", "new-always").until("starting")
    lost.engine.kill()
    gone(run.end(1))
    assert "new-always is already running" in back(lost, "--tag", "new-always")
    only(lost, "new-always")


def test_lost_while_the_old_one_is_being_stopped(lost: Site) -> None:
    lost.inv("start", "--tag", "stubborn")
    run = Run(lost, "start", "--tag", "new-always", "--no-rehearsal").until("docker stop")
    told_to_stop(lost)
    lost.engine.kill()
    said = run.end(1)
    gone(said)
    assert "tests_service was being stopped" in said
    assert "new-always runs" in back(lost, "--tag", "new-always")
    only(lost, "new-always")


def test_lost_together_with_the_run(lost: Site) -> None:
    lost.inv("start", "--tag", "old-always")
    run = Run(lost, "start", "--tag", "new-always", "--no-rehearsal").until("starting")
    run.signal(signal.SIGKILL)
    lost.engine.kill()
    run.end(-signal.SIGKILL)
    assert "was cut off: recovering" in back(lost, "--tag", "new-always")
    only(lost, "new-always")


@pytest.mark.parametrize(("point", "when"), [(5, "after"), (7, "before"), (7, "after")])
def test_lost_at_a_command(lost: Site, tmp_path: Path, point: int, when: str) -> None:
    """The commands: create, create, start, rm; stop, start, rename, update, rename."""
    lost.inv("start", "--tag", "old-always")
    client = tmp_path / "docker"
    client.write_text(CLIENT.format(docker=shutil.which("docker")))
    client.chmod(0o755)
    (tmp_path / "count").touch()
    assert lost.engine.process
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "COUNT": str(tmp_path / "count"),
        "POINT": str(point),
        "WHEN": when,
        "ENGINE": str(lost.engine.process.pid),
    }
    gone(Run(lost, "start", "--tag", "new-always", **environment).end(1))
    said = back(lost, "--tag", "new-always")
    only(lost, "new-always")
    past = (point, when) == (7, "after")
    assert ("new-always runs." if past else "old-always runs as before.") in said


def test_a_lost_engine_is_one_sentence_for_every_task(lost: Site) -> None:
    lost.engine.kill()
    try:
        for task in ("start", "stop", "rollback", "labels"):
            told = lost.inv(task, code=1).stderr
            assert told.count("\n") == 1 and "does not answer" in told
    finally:
        lost.engine.start()
    assert not leftovers(lost)
