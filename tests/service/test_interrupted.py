"""Switches disturbed from outside: signals, commands that fail or go on alone, hands that remove things."""

import os
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from sites import Site
from switches import Run, eventually, go_on, held, leave, leftovers, old, only, told_to_stop
from terminals import Terminal
from versions import LATE, SERVE, make

from tasks.host import signals

# In front of the real client: at one of the commands that change something, also does what $DO says, before or after.
CLIENT = """#!/bin/sh
case $1 in create|start|stop|rename|rm|update) ;; *) exec {docker} "$@" ;; esac
echo "$1" >> "$COUNT"
[ "$(wc -l < "$COUNT")" = "$POINT" ] || exec {docker} "$@"
[ "$WHEN" = before ] && eval "$DO"
{docker} "$@"; code=$?
[ "$WHEN" = after ] && eval "$DO"
exit $code
"""
WORDS = ("start", "--tag", "1.0")
COMMANDS = ["create", "create", "start", "rm", "stop", "start", "rename", "rename"]  # of a switch with a rehearsal
STUBBORN = f"trap '' TERM; {SERVE.replace('exec ', '')} & while :; do sleep 0.1; done"
# `late` listens when it is told to, `mute` never, `stubborn` and `deaf` ignore SIGTERM.
VERSIONS: dict[str, dict[str, Any]] = {
    "1.0": {},
    "2.0": {},
    "late": {"script": LATE},
    "mute": {"script": "exec sleep 1000"},
    "deaf": {"script": "trap '' TERM; while :; do sleep 0.1; done"},
    "stubborn": {"script": STUBBORN, "options": ("--network", "host", "--stop-timeout", "3")},
}


def client(folder: Path, point: int, when: str, do: str) -> dict[str, Any]:
    """The environment in which the client above does `do` before or after the command of this number."""
    wrapper = folder / "docker"
    wrapper.write_text(CLIENT.format(docker=shutil.which("docker")))
    wrapper.chmod(0o755)
    (folder / "count").write_text("")
    path = f"{folder}:{os.environ['PATH']}"
    return {"PATH": path, "COUNT": str(folder / "count"), "POINT": str(point), "WHEN": when, "DO": do}


# Signals


def test_a_signal_waits_for_the_end_of_a_command_and_a_second_one_does_not() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt), signals.held():
        signal.raise_signal(signal.SIGINT)
        done.append("to the end")
    with pytest.raises(KeyboardInterrupt), signals.held():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("not reached")
    assert done == ["to the end"]
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup's choice
    with signals.held():
        signal.raise_signal(signal.SIGHUP)
    assert signal.signal(signal.SIGHUP, before) == signal.SIG_IGN


# After the fourth is before the fifth.
@pytest.mark.parametrize(("point", "when"), [(5, "before"), *((at, "after") for at in (1, 2, 3, 5, 6, 7, 8))])
def test_a_signal_at_any_command_leaves_the_old_version_or_the_new_one(
    service: Site, tmp_path: Path, point: int, when: str
) -> None:
    run = Run(service, "start", "--tag", "2.0", **client(tmp_path, point, when, "kill -TERM $PPID; sleep 0.1"))
    said = run.end(130)
    assert (tmp_path / "count").read_text().split()[:point] == COMMANDS[:point]
    only(service, "2.0" if COMMANDS[point - 1] == "rename" else "1.0")
    if point == 1:
        assert "Nothing was changed" in said
    else:
        assert ("Stopped too late: 2.0 is healthy" if point > 6 else "1.0 runs as before") in said


def test_ctrl_c_while_the_old_version_is_slow_to_stop(versions: Site) -> None:
    versions.inv("start", "--tag", "stubborn")
    run = Run(versions, "start", "--tag", "2.0", "--no-rehearsal").until("docker stop")
    told_to_stop(versions)  # the client dies of Ctrl-C, the engine goes on and kills the container after 3 s
    assert "stubborn runs as before" in run.signal(signal.SIGINT).end(130)
    time.sleep(3)
    only(versions, "stubborn")


def test_a_stop_whose_run_was_killed_is_waited_for(versions: Site) -> None:
    versions.inv("start", "--tag", "stubborn")
    run = Run(versions, "start", "--tag", "2.0", "--no-rehearsal").until("docker stop")
    told_to_stop(versions)
    run.signal(signal.SIGKILL, group=False)
    run.process.wait()
    done = versions.inv("start", "--tag", "stubborn")
    assert "stubborn runs as before" in done.stdout and "is already running" in done.stdout
    assert "docker stop" not in done.stdout  # the engine remembers that it was told to
    time.sleep(3)
    only(versions, "stubborn")


def test_ctrl_c_twice_leaves_what_the_next_run_recovers(service: Site) -> None:
    run = Run(service, "start", "--tag", "deaf", "--no-rehearsal").until("starting")
    run.signal(signal.SIGINT).until("docker stop -t 1")
    told_to_stop(service, "tests_service.next")
    assert "Stopped while going back" in run.signal(signal.SIGINT).end(130)
    assert leftovers(service)
    assert "2.0 runs as tests_service; before: 1.0" in service.inv("start", "--tag", "2.0").stdout
    only(service, "2.0")


def test_ctrl_c_at_a_terminal_undoes_the_switch_that_it_shows(service: Site) -> None:
    with Terminal(service, "start", "--tag", "mute", "--no-rehearsal") as terminal:
        terminal.until("tests_service.next: starting, ")
        terminal.press("\x03")
        assert terminal.ended() == 130
        assert "1.0 runs as before" in terminal.shown and "Traceback" not in terminal.shown
    only(service, "1.0")


def test_a_terminal_that_goes_away_undoes_the_switch(service: Site) -> None:
    terminal = Terminal(service, "start", "--tag", "mute", "--no-rehearsal")
    terminal.until("tests_service.next: starting")
    os.close(terminal.ours)  # the window is closed
    assert terminal.process.wait() != 0
    eventually(lambda: service.answer() == "1.0" and not leftovers(service))
    only(service, "1.0")


# Hands


@pytest.mark.parametrize("pause", [0.0, 0.2], ids=["at once", "while its run goes back"])
def test_the_candidate_removed_by_hand(service: Site, pause: float) -> None:
    """`docker rm --force` ends the process first: the run may lose the candidate only while it goes back."""
    run = Run(service, "start", "--tag", "mute", "--no-rehearsal").until("starting")
    if pause:
        service.docker("kill", "tests_service.next")
        time.sleep(pause)
    service.docker("rm", "--force", "tests_service.next", check=False)
    assert re.search(r"mute (has vanished|exited with code 137)\. 1\.0 runs as before\.", run.end(1))
    only(service, "1.0")


@pytest.mark.parametrize("point", [1, 2, 3])
@pytest.mark.parametrize(
    "names", [".next", ".recovery", ".next tests_service.recovery"], ids=["candidate", "lock", "both"]
)
def test_hands_that_remove_what_a_recovery_works_with(service: Site, tmp_path: Path, names: str, point: int) -> None:
    """A `docker container prune` takes both; the commands: create the lock, stop the candidate, start the old one."""
    leave(service, "2.0", [held(service)], limit=0)
    service.docker("stop", "tests_service")
    service.docker("start", "tests_service.next")
    done = service.inv(*WORDS, **client(tmp_path, point, "after", f"docker rm --force tests_service{names} >/dev/null"))
    assert "1.0 runs as before." in done.stdout and "1.0 is already running" in done.stdout
    only(service, "1.0")


def test_a_candidate_that_is_removed_before_the_recovery_has_its_lock(service: Site, tmp_path: Path) -> None:
    leave(service, "2.0", [held(service)], limit=0)
    service.docker("stop", "tests_service")
    done = service.inv(*WORDS, **client(tmp_path, 1, "before", "docker rm tests_service.next >/dev/null"))
    assert "1.0 runs as before." in done.stdout
    only(service, "1.0")


def test_somebody_else_who_takes_over_in_the_middle_of_a_recovery_is_not_disturbed(
    service: Site, tmp_path: Path
) -> None:
    was = {**held(service), "image": service.docker("inspect", "--format", "{{.Image}}", "tests_service")}
    leave(service, "2.0", [was], limit=0)
    service.docker("stop", "tests_service")
    service.docker("start", "tests_service.next")
    theirs = "docker run --detach --name tests_service --network host tests/visdom:2.0 sleep 1000"
    hands = f"docker rm tests_service.next tests_service >/dev/null; {theirs} >/dev/null"
    told = service.inv(*WORDS, code=1, **client(tmp_path, 2, "after", hands)).stderr
    assert "Lock lost: somebody has started 2.0 meanwhile." in told and told.count("\n") == 1
    assert service.running() == {"tests_service": "tests/visdom:2.0"} and not leftovers(service)


def test_the_rehearsal_removed_by_hand(service: Site) -> None:
    run = Run(service, "start", "--tag", "mute").until("starting")
    service.docker("rm", "--force", "tests_service.rehearsal")
    assert re.search(r"mute (has vanished|exited with code 137)\.", run.end(1))
    only(service, "1.0")


def test_the_old_version_removed_by_hand(service: Site) -> None:
    run = Run(service, "start", "--tag", "late").until("starting")
    service.docker("rm", "--force", "tests_service")
    go_on(service, "tests_service.rehearsal")
    assert "cannot be stopped. 1.0 runs as before." in run.end(1)  # made anew from what its image recommends
    only(service, "1.0")


def test_the_old_version_stopped_by_hand(service: Site) -> None:
    run = Run(service, "start", "--tag", "late").until("starting")
    service.docker("stop", "tests_service")
    go_on(service, "tests_service.rehearsal")
    run.until("tests_service.next: starting")
    go_on(service)
    assert "late runs as tests_service" in run.end(0)
    only(service, "late")


def test_the_image_removed_by_hand(service: Site) -> None:
    make(service, "doomed", script=LATE)
    run = Run(service, "start", "--tag", "doomed", "--no-rehearsal").until("starting")
    service.docker("image", "rm", "--force", "tests/visdom:doomed", check=False)
    go_on(service)
    run.end(0)
    assert service.answer() == "doomed" and list(service.running()) == ["tests_service"]
    assert "before: doomed" in service.inv("start", "--tag", "1.0").stdout
    only(service, "1.0")


# Other runs, and builds


def test_a_tag_that_is_built_anew_between_the_choice_and_the_candidate_is_not_started(
    service: Site, tmp_path: Path
) -> None:
    make(service, "moving")
    moved = client(tmp_path, 1, "before", "docker tag tests/visdom:mute tests/visdom:moving")
    said = Run(service, "start", "--tag", "moving", **moved).end(1)
    service.docker("image", "rm", "tests/visdom:moving")
    assert "tests/visdom:moving was built anew in this moment. Nothing was changed; type the same again." in said
    only(service, "1.0")


def test_a_cut_off_switch_that_is_another_ones_by_the_time_of_its_recovery_is_left_alone(
    service: Site, tmp_path: Path
) -> None:
    leave(service, "late", [held(service)])
    service.docker("rename", "tests_service.next", "theirs")
    leave(service, "mute", [held(service)], limit=0)
    do = "docker rm tests_service.next; docker rename theirs tests_service.next"
    said = Run(service, "start", "--tag", "2.0", **client(tmp_path, 1, "before", do)).end(1)
    assert "A switch to mute by ann@elsewhere was cut off" in said and "Lock lost" not in said
    assert "ann@elsewhere is switching to late since" in said and "Nothing was changed." in said
    assert leftovers(service) == ["tests_service.next"] and service.answer() == "1.0"


@pytest.mark.parametrize("do", ["docker rename theirs tests_service.next", "docker start theirs"])
def test_a_stop_says_that_somebody_else_starts_a_version_meanwhile(service: Site, tmp_path: Path, do: str) -> None:
    leave(service, "2.0", [], ["--label", "com.colorai.stack.service=tests_service"])
    service.docker("rename", "tests_service.next", "theirs")
    said = Run(service, "stop", **client(tmp_path, 1, "after", do)).end(1)
    assert "tests_service was stopped, but somebody else starts a version in this moment." in said


# Commands that fail


def test_the_old_version_cannot_be_renamed(service: Site, tmp_path: Path) -> None:
    run = Run(service, "start", "--tag", "2.0", **client(tmp_path, 7, "before", "exit 1"))
    assert "tests_service cannot be renamed. 1.0 runs as before." in run.end(1)
    only(service, "1.0")


def test_the_new_version_cannot_be_renamed(service: Site, tmp_path: Path) -> None:
    environment = client(tmp_path, 0, "before", "exit 1")
    (tmp_path / "docker").write_text(
        f'#!/bin/sh\n[ "$1 $3" = "rename tests_service" ] && exit 1\nexec {shutil.which("docker")} "$@"\n'
    )
    said = Run(service, "start", "--tag", "2.0", **environment).end(1)
    assert "tests_service.next runs, but cannot be renamed" in said and "The next inv start recovers." in said
    assert service.answer() == "2.0"
    assert "2.0 is already running as tests_service" in service.inv("start", "--tag", "2.0").stdout
    only(service, "2.0")


def test_a_kept_container_that_cannot_be_removed_is_a_warning(service: Site, tmp_path: Path) -> None:
    service.set(keep=0)
    said = Run(service, "start", "--tag", "2.0", **client(tmp_path, 9, "before", "exit 1")).end(0)
    service.set(keep=5)
    assert "Warning: tests_service.1.0 cannot be removed." in said and "2.0 runs as tests_service" in said
    only(service, "2.0")


def test_after_the_switch_no_reboot_starts_the_old_version(versions: Site, tmp_path: Path) -> None:
    old(versions, "1.0", RestartPolicy={"Name": "always"})
    environment = client(tmp_path, 9, "before", "kill -9 $PPID")  # create … rename, update, rename: the last one
    Run(versions, "start", "--tag", "2.0", **environment).end(-signal.SIGKILL)
    policy = versions.docker("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", "tests_service.1.0")
    assert policy == "no"
    assert "2.0 is already running" in versions.inv("start", "--tag", "2.0").stdout
    only(versions, "2.0")


def test_a_stopped_version_that_a_reboot_will_start_is_a_warning(versions: Site, tmp_path: Path) -> None:
    old(versions, "1.0", RestartPolicy={"Name": "always"})
    said = Run(versions, "stop", **client(tmp_path, 2, "before", "exit 1")).end(0)
    assert "Warning: A reboot will start tests_service too." in said and "tests_service is stopped." in said
