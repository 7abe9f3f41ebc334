"""The switch: until the new version is healthy, the old one can come back exactly as it was."""

import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import switches
from sites import WIDE, Site
from switches import Run, eventually, only
from versions import NO_CHECK, SERVE, make


@contextmanager
def client(site: Site) -> Iterator[list[str]]:
    """A client that asks the service every 5 ms; the list holds its answers, "" for a failed request."""
    answers: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            answers.append(site.answer(WIDE))
            time.sleep(0.005)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


@pytest.fixture
def old(site: Site) -> Site:
    """A site on which version 1.0 runs."""
    make(site, "1.0")
    switches.old(site)
    return site


@pytest.fixture
def unrehearsed(old: Site) -> Site:
    """The same, for what a rehearsal would tell nothing about."""
    old.set(rehearse=False)
    return old


BAD = {
    "exits at once": {"script": "echo broken >&2; exit 3"},
    "never listens": {"script": "exec sleep 1000"},
    "turns unhealthy": {"script": SERVE.replace("exec", "(sleep 0.6; rm /tmp/index.html) & exec")},
    "restarts in a loop": {"script": "sleep 0.1; exit 4", "options": ("--network", "host", "--restart", "always")},
    "dies within settle": {"script": "sleep 0.3; exit 5", "check": NO_CHECK},
}


@pytest.mark.parametrize("kind", BAD)
def test_rehearsal_finds_a_bad_version_without_one_failed_request(old: Site, kind: str) -> None:
    old.set(timeout=2, settle=1)
    make(old, "2.0", **BAD[kind])  # type: ignore[arg-type]
    before = old.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "tests_service")
    with client(old) as answers:
        done = old.inv("start", "--tag", "2.0", code=1)
    assert "In the rehearsal (without a network): 2.0 " in done.stderr and "1.0 runs as before." in done.stderr
    assert "--no-rehearsal" not in done.stderr  # nothing that it said is a sign of that
    assert set(answers) == {"1.0"}
    assert old.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "tests_service") == before
    only(old, "1.0")


@pytest.mark.parametrize("kind", BAD)
def test_without_rehearsal_the_same_old_container_comes_back(old: Site, kind: str) -> None:
    old.set(timeout=2, settle=1)
    make(old, "2.0", **BAD[kind])  # type: ignore[arg-type]
    before = old.docker("inspect", "--format", "{{.Id}} {{.HostConfig}}", "tests_service")
    done = old.inv("start", "--tag", "2.0", "--no-rehearsal", code=1)
    assert "1.0 runs as before" in done.stderr
    assert old.docker("inspect", "--format", "{{.Id}} {{.HostConfig}}", "tests_service") == before
    only(old, "1.0")


def test_last_words_of_a_bad_version_are_shown(old: Site) -> None:
    make(old, "2.0", script="for i in 1 2 3; do echo line $i; done; echo the reason >&2; exit 3")
    done = old.inv("start", "--tag", "2.0", code=1)
    assert "the reason" in done.stdout and "exited with code 3" in done.stderr


def test_an_option_that_docker_refuses_touches_nothing(old: Site) -> None:
    make(old, "2.0", options=("--network", "host", "--runtime", "unheard-of"))
    with client(old) as answers:
        done = old.inv("start", "--tag", "2.0", code=1)
    assert "Nothing was changed" in done.stderr
    assert set(answers) == {"1.0"}
    only(old, "1.0")


def test_upgrade_and_rollback(old: Site) -> None:
    make(old, "2.0")
    done = old.inv("start", "--tag", "2.0")
    assert "2.0 runs as tests_service; before: 1.0; port" in done.stdout
    only(old, "2.0")
    assert "1.0 runs as tests_service; before: 2.0" in old.inv("rollback").stdout
    only(old, "1.0")
    assert "already running" in old.inv("start", "--tag", "1.0").stdout


def test_the_silence_is_that_between_the_old_versions_end_and_the_new_ones_first_answer(old: Site) -> None:
    make(old, "2.0", script=f"sleep 0.5; {SERVE}")
    make(old, "3.0", check=NO_CHECK)
    old.set(settle=4)
    begun = time.monotonic()
    said = old.inv("start", "--tag", "2.0", "--no-rehearsal").stdout
    took = 1000 * (time.monotonic() - begun)
    found = re.search(r"port (\d+) was silent for (\d+) ms, new connections waited\.$", said.strip())
    assert found and found[1] == str(old.port) and 500 <= int(found[2]) < took - 1500  # it served as it settled
    old.set(settle=0.1)
    assert (
        old.inv("start", "--tag", "3.0").stdout.strip().endswith("before: 2.0; new connections waited.")
    )  # no check: no silence is known


def test_nothing_to_roll_back_to(old: Site) -> None:
    assert "no earlier version" in old.inv("rollback", code=2).stderr


def test_kept_containers_are_bounded(old: Site) -> None:
    old.set(keep=2)
    for number in range(2, 6):
        make(old, f"{number}.0")
        old.inv("start", "--tag", f"{number}.0", "--no-rehearsal")
    names = old.docker("ps", "--all", "--format", "{{.Names}}").split()
    assert sorted(names) == ["tests_service", "tests_service.3.0", "tests_service.4.0"]


def test_stop_survives_a_reboot(site: Site) -> None:
    make(site, "1.0", options=("--network", "host", "--restart", "always", "--init"))
    site.inv("start")
    done = site.inv("stop")
    assert f"To start it again: inv -f {site.file} start --tag 1.0\n" in done.stdout
    # An update of a running container may take its GPU away.
    assert done.stdout.index("docker stop") < done.stdout.index("docker update --restart=no")
    site.engine.kill()
    site.engine.start()
    assert site.running() == {}
    assert "1.0 runs" in site.inv("start", "--tag", "1.0").stdout
    only(site, "1.0")


def test_what_is_typed_next_names_the_frame_where_there_are_several(site: Site) -> None:
    make(site, "1.0")
    site.settings["frames"]["other"] = {**site.frame, "image": "tests/other", "service": "other"}
    site.save()
    site.inv("start", "--name", "visdom")
    told = site.inv("stop", "--name", "visdom").stdout
    assert told.endswith(f"To start it again: inv -f {site.file} start --name visdom --tag 1.0\n")
    told = site.inv("start", "--name", "other", code=2).stderr
    assert told.endswith(f"Type: inv -f {site.file} frame --name other\n")


@pytest.mark.parametrize("state", ["paused", "restarts in a loop"])
def test_a_version_that_serves_nobody_is_not_running_already(unrehearsed: Site, state: str) -> None:
    if state == "paused":
        unrehearsed.docker("pause", "tests_service")
    else:
        unrehearsed.docker("rm", "--force", "tests_service")
        loops = ["sh", "-c", "exit 1"]
        unrehearsed.docker(
            "run", "--detach", "--restart", "always", "--name", "tests_service", "tests/visdom:1.0", *loops
        )
        seen = ["inspect", "--format", "{{.State.Status}} {{gt .RestartCount 4}}", "tests_service"]
        eventually(lambda: unrehearsed.docker(*seen) == "restarting true")  # the pauses grow: this one takes seconds
    assert "1.0 runs as tests_service" in unrehearsed.inv("start", "--tag", "1.0").stdout
    only(unrehearsed, "1.0")


def test_no_anonymous_volume_of_a_rehearsal_or_a_failed_version_is_left(old: Site) -> None:
    make(old, "2.0", extra="VOLUME /anonymous")
    make(old, "bad", script="exit 3", extra="VOLUME /anonymous")
    old.inv("start", "--tag", "2.0")
    old.inv("start", "--tag", "bad", code=1)
    old.inv("start", "--tag", "bad", "--no-rehearsal", code=1)
    assert len(old.docker("volume", "ls", "--quiet").split()) == 1  # of the version that runs
    old.set(keep=0)
    old.inv("start", "--tag", "1.0", "--no-rehearsal")
    assert old.docker("volume", "ls", "--quiet") == ""  # it went with its container
    old.engine.clean()


def test_a_health_check_that_floods_takes_no_memory(unrehearsed: Site) -> None:
    make(unrehearsed, "2.0", check="yes")
    unrehearsed.set(timeout=3)
    measured = ["sh", "-c", 'ulimit -v 1500000; exec "$@"', "sh", *unrehearsed.command("start", "--tag", "2.0")]
    done = subprocess.run(measured, env=unrehearsed.environment, cwd=unrehearsed.folder, capture_output=True, text=True)
    assert done.returncode == 1 and "2.0 did not become healthy within 3 s" in done.stderr, done.stderr
    only(unrehearsed, "1.0")


def test_force_replaces_the_container_by_a_new_one(unrehearsed: Site) -> None:
    before = unrehearsed.docker("inspect", "--format", "{{.Id}}", "tests_service")
    unrehearsed.inv("start", "--tag", "1.0", "--force")
    assert unrehearsed.docker("inspect", "--format", "{{.Id}}", "tests_service") != before
    only(unrehearsed, "1.0")


def test_versions_under_other_names_make_room_and_others_do_not(unrehearsed: Site) -> None:
    unrehearsed.engine.remove_containers()
    unrehearsed.inv("start")
    unrehearsed.docker("rename", "tests_service", "by_hand")  # a switch made it, whatever it is called today
    make(unrehearsed, "2.0")
    unrehearsed.engine.docker(
        "build", "--quiet", "--tag", "other/child:1", "-", input="FROM tests/visdom:1.0\nENV CHILD=1\n"
    )
    unrehearsed.docker("run", "--detach", "--name", "child", "--network", "none", "other/child:1", "sleep", "1000")
    unrehearsed.inv("start", "--tag", "2.0")
    assert unrehearsed.running() == {"tests_service": "tests/visdom:2.0", "child": "other/child:1"}


def test_a_stranger_on_the_port_is_named_and_nothing_is_touched(site: Site) -> None:
    make(site, "1.0")
    with socket.create_server(("", site.port)):
        done = site.inv("start", code=1)
    assert f"Port {site.port} is held by" in done.stderr and str(os.getpid()) in done.stderr
    assert site.docker("ps", "--all", "--quiet") == ""


def test_a_stranger_with_the_name_is_left_alone(site: Site) -> None:
    make(site, "1.0")
    site.docker("run", "--detach", "--name", "tests_service", "--network", "none", "tiny:1", "sleep", "1000")
    assert "holds the service's name" in site.inv("start", code=1).stderr
    assert site.running() == {"tests_service": "tiny:1"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_wait_undoes_the_switch(old: Site, number: signal.Signals) -> None:
    make(old, "2.0", script="exec sleep 1000")
    run = Run(old, "start", "--tag", "2.0", "--no-rehearsal").until("starting")
    assert "1.0 runs as before" in run.signal(number).end(130)
    only(old, "1.0")


def test_the_reader_of_the_output_goes_away(old: Site) -> None:
    make(old, "2.0", script="exec sleep 1000")
    old.set(timeout=3)
    command = old.command("start", "--tag", "2.0", "--no-rehearsal")
    run = subprocess.Popen(command, env=old.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.stdout
    run.stdout.readline()
    run.stdout.close()
    assert run.wait() == 1
    only(old, "1.0")


def test_dry_prints_the_very_commands(old: Site) -> None:
    old.set(keep=0)
    make(old, "2.0")

    def commands(text: str) -> list[str]:
        lines = [line for line in text.splitlines() if line.startswith("docker ")]
        own = r"\b[0-9a-f]{12}\b|tests_service\.(next|rehearsal)\b"  # a container that is not made yet has no id
        return [re.sub(own, "<container>", line[:60]) for line in lines]

    dry = old.inv("--dry", "start", "--tag", "2.0")
    only(old, "1.0")
    real = old.inv("start", "--tag", "2.0")
    assert commands(dry.stdout) == commands(real.stdout)
    assert len(commands(real.stdout)) == 9


def test_rollback_to_a_version_whose_tag_was_built_anew(unrehearsed: Site) -> None:
    before = unrehearsed.docker("image", "inspect", "--format", "{{.Id}}", "tests/visdom:1.0")
    make(unrehearsed, "2.0")
    unrehearsed.inv("start", "--tag", "2.0")
    make(unrehearsed, "1.0", extra="ENV ANEW=1")
    unrehearsed.inv("rollback")
    assert unrehearsed.answer() == "1.0"
    assert unrehearsed.docker("inspect", "--format", "{{.Image}}", "tests_service") == before


def test_another_tag_of_the_same_image_is_in_nobodys_way(unrehearsed: Site) -> None:
    make(unrehearsed, "2.0")
    unrehearsed.docker("tag", "tests/visdom:1.0", "tests/visdom:0alias")
    unrehearsed.inv("start", "--tag", "2.0")
    assert "1.0 runs as tests_service" in unrehearsed.inv("rollback").stdout
    assert "1.0 is already running" in unrehearsed.inv("start", "--tag", "0alias").stdout
    unrehearsed.inv("start", "--tag", "2.0")
    assert "1.0 runs as tests_service" in unrehearsed.inv("start", "--tag", "0alias").stdout
    only(unrehearsed, "1.0")


def test_rollback_to_a_version_that_runs_by_todays_settings_alone(unrehearsed: Site) -> None:
    unrehearsed.frame["command"] = ["sh", "-c", SERVE.format(port=unrehearsed.port)]
    unrehearsed.save()
    make(unrehearsed, "bare", label="")
    unrehearsed.inv("start", "--tag", "bare", "--from-settings")
    unrehearsed.inv("start", "--tag", "1.0")
    assert "bare runs as tests_service" in unrehearsed.inv("rollback").stdout
    only(unrehearsed, "bare")
