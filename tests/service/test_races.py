"""Several runs at once: one switches, the others are told why not, and exactly one version runs afterwards."""

import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from sites import ROOT, Site
from switches import LABEL, Run, go_on, held, leave, only
from versions import LATE, make

from tasks.service import ticket

ROUNDS, FEWER = (3, 2) if os.environ.get("CI") else (2, 1)
# `late` listens when it is told to, `mute` never.
VERSIONS: dict[str, dict[str, Any]] = {
    "1.0": {},
    "2.0": {},
    "3.0": {},
    "late": {"script": LATE},
    "mute": {"script": "exec sleep 1000"},
}


def eight(site: Site) -> None:
    """Eight runs start two versions at the same moment; what each says must fit what it did."""
    runs = [Run(site, "start", "--tag", tag) for tag in ("2.0", "3.0") * 4]
    said = [run.end(0, 1) for run in runs]
    for run, text in zip(runs, said, strict=True):
        if run.process.returncode:
            assert "root@" in text and " is switching to " in text and " since " in text, text
        else:
            assert "already running" in text or "runs as tests_service" in text, text
    switched = [text for text in said if "runs as tests_service" in text]
    assert switched
    (image,) = site.running().values()
    only(site, image.partition(":")[2])


@pytest.mark.parametrize("round", range(ROUNDS))
def test_eight_at_once_leave_exactly_one_version(service: Site, round: int) -> None:
    eight(service)


@pytest.mark.parametrize("round", range(FEWER))
def test_eight_first_deployments_at_once_leave_exactly_one_version(versions: Site, round: int) -> None:
    eight(versions)


def test_whoever_comes_during_a_switch_is_told_who_switches_to_what_since_when(service: Site) -> None:
    run = Run(service, "start", "--tag", "mute").until("starting")
    try:
        service.docker("create", "--name", "tests_service.3.0", "tests/visdom:3.0", "true")
        for words in (["start", "--tag", "2.0"], ["start", "--tag", "1.0"], ["stop"], ["rollback"]):
            told = service.inv(*words, code=1).stderr
            assert "root@" in told and "is switching to mute since 20" in told and f"process {run.process.pid}" in told
            assert "Nothing was changed" in told
        done = service.inv("labels", "--json")
        assert "is switching to mute since" in done.stderr and '"tests/visdom"' in done.stdout
        assert service.answer() == "1.0"
    finally:
        run.signal(signal.SIGINT).end(130)
    only(service, "1.0")


def test_waiting_for_another_switch_and_then_switching(service: Site) -> None:
    run = Run(service, "start", "--tag", "late", "--no-rehearsal").until("starting")
    waiting = Run(service, "start", "--tag", "3.0", "--wait", "60").until("; waiting.")
    go_on(service)
    run.end(0)
    said = waiting.end(0)
    assert "is switching to late" in said and "3.0 runs as tests_service; before: late" in said
    only(service, "3.0")


def test_waiting_in_vain_ends_with_the_reason(service: Site) -> None:
    run = Run(service, "start", "--tag", "mute").until("starting")
    assert "is switching to mute" in service.inv("start", "--tag", "3.0", "--wait", "1", code=1).stderr
    run.signal(signal.SIGTERM).end(130)
    only(service, "1.0")


def test_a_run_that_is_waited_for_may_be_killed(service: Site) -> None:
    run = Run(service, "start", "--tag", "mute", "--no-rehearsal").until("starting")
    waiting = Run(service, "start", "--tag", "3.0", "--wait", "60").until("; waiting.")
    run.signal(signal.SIGKILL).end(-signal.SIGKILL)
    said = waiting.end(0)
    assert "was cut off: recovering" in said and "1.0 runs as before" in said and "3.0 runs as tests_service" in said
    only(service, "3.0")


@pytest.mark.parametrize("round", range(FEWER))
def test_six_at_once_recover_one_killed_switch(service: Site, round: int) -> None:
    run = Run(service, "start", "--tag", "mute", "--no-rehearsal").until("starting")
    run.signal(signal.SIGKILL).end(-signal.SIGKILL)
    assert service.answer() == ""
    assert "was cut off" in service.inv("labels", "--tag", "1.0", "--key", "org.label-schema.name").stderr
    said = [run.end(0, 1) for run in [Run(service, "start", "--tag", "2.0") for _ in range(6)]]
    assert sum("2.0 runs as tests_service" in text for text in said) == 1, said
    assert sum("recovering" in text for text in said) >= 1
    only(service, "2.0")


def test_a_killed_switch_is_recovered_before_anybody_is_asked(service: Site) -> None:
    run = Run(service, "start", "--tag", "mute", "--no-rehearsal").until("starting")
    run.signal(signal.SIGKILL).end(-signal.SIGKILL)
    told = service.inv("start", code=2)  # several versions, and no terminal
    assert "was cut off: recovering" in told.stdout and "Several versions are here" in told.stderr
    only(service, "1.0")


def test_a_killed_switch_is_recovered_by_stop_and_by_rollback(service: Site) -> None:
    for words, running in ((["rollback"], "1.0"), (["stop"], "")):
        run = Run(service, "start", "--tag", "mute", "--no-rehearsal").until("starting")
        run.signal(signal.SIGKILL).end(-signal.SIGKILL)
        done = service.inv(*words, code=2 if running else 0)
        assert "1.0 runs as before" in done.stdout
        assert service.answer() == running
        assert [*service.running()] == (["tests_service"] if running else [])


# Tickets of another host, whose processes nobody here can see.


def test_a_switch_of_another_host_is_respected(service: Site) -> None:
    leave(service, "2.0", [held(service)])
    told = service.inv("start", "--tag", "3.0", code=1).stderr
    assert "ann@elsewhere is switching to 2.0 since 20" in told
    assert "ann@elsewhere" in service.inv("stop", code=1).stderr
    assert service.running() == {"tests_service": "tests/visdom:1.0"}


def test_a_switch_of_another_host_that_is_older_than_any_can_be_is_recovered(service: Site) -> None:
    leave(service, "2.0", [held(service)], limit=0)
    service.docker("stop", "tests_service")
    service.docker("start", "tests_service.next")
    done = service.inv("start", "--tag", "3.0")
    assert "A switch to 2.0 by ann@elsewhere was cut off" in done.stdout and "1.0 runs as before" in done.stdout
    only(service, "3.0")


def test_the_clock_of_the_other_host_does_not_matter(service: Site) -> None:
    leave(service, "2.0", [held(service)], since=0)  # 1970: only the engine's clock counts
    assert "since 1970-01-01" in service.inv("start", "--tag", "3.0", code=1).stderr


def test_a_process_id_that_another_process_has_now_is_not_taken_for_the_switch(service: Site) -> None:
    run = Run(service, "start", "--tag", "mute").until("starting")
    space = service.docker("inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', "tests_service.next")
    run.signal(signal.SIGINT).end(130)
    leave(service, "2.0", [held(service)], space=space.partition('"space":"')[2].partition('"')[0], pid=os.getpid())
    assert "was cut off" in service.inv("start", "--tag", "3.0").stdout
    only(service, "3.0")


def test_a_process_that_this_user_may_not_see_is_not_taken_for_gone() -> None:
    mine = ticket.write("2.0", (), 60)
    code = "import msgspec; from tasks.service.ticket import Ticket;"
    code += f"found = msgspec.json.decode({mine.text()!r}, type=Ticket); print(found.gone(0), found.gone(61))"
    hide = 'mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'
    words = ["unshare", "--mount", "sh", "-c", hide, "sh", sys.executable, "-c", code]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"


def test_a_healthy_candidate_whose_old_container_is_gone_is_kept(service: Site) -> None:
    leave(service, "2.0", [held(service)], limit=0)
    service.docker("rm", "--force", "tests_service")
    service.docker("start", "tests_service.next")
    assert "2.0 is already running" in service.inv("start", "--tag", "2.0").stdout
    only(service, "2.0")


def test_a_candidate_whose_image_was_removed_is_recovered(service: Site) -> None:
    make(service, "doomed", script="exec true")
    leave(service, "doomed", [held(service)], limit=0)
    service.docker("image", "rm", "--force", "tests/visdom:doomed")
    said = service.inv("start", "--tag", "1.0").stdout
    assert "1.0 is already running" in said and "docker stop" not in said  # nothing was told to stop
    only(service, "1.0")


def test_a_candidate_that_no_switch_made_is_named(service: Site) -> None:
    service.docker("create", "--name", "tests_service.next", "tests/visdom:2.0", "true")
    for words in (["start", "--tag", "2.0"], ["stop"], ["rollback"]):
        told = service.inv(*words, code=1).stderr
        assert told.count("\n") == 1 and "tests_service.next was not made by a switch" in told
    assert "tests_service.next was not made" in service.inv("labels", "--json").stderr
    assert service.running() == {"tests_service": "tests/visdom:1.0"}


GARBLED = ["", "null", "{}", "[1]", "{" * 5000, '"\\ud800"', '{"by":1}', '{"since":"never"}', "\x1b[2J", "é" * 99]


@pytest.mark.parametrize("label", GARBLED)
def test_a_garbled_ticket_is_no_ticket(service: Site, label: str) -> None:
    service.docker("create", "--name", "tests_service.next", "--label", f"{LABEL}={label}", "tests/visdom:2.0", "true")
    assert "was not made by a switch" in service.inv("start", "--tag", "2.0", code=1).stderr


def test_a_ticket_of_no_time_at_all_is_no_ticket(service: Site) -> None:
    leave(service, "2.0", [], since=1e300)
    assert "was not made by a switch" in service.inv("start", "--tag", "3.0", code=1).stderr


def test_a_hostile_ticket_cannot_steer_the_terminal(service: Site) -> None:
    leave(service, "2.0", [], by="\x1b[2Jann", pid=-(2**60))
    told = service.inv("start", "--tag", "3.0", code=1).stderr
    assert "?[2Jann is switching to 2.0" in told
    service.docker("rm", "tests_service.next")
    leave(service, "2.0", [{"id": "../info", "name": "--help", "running": True}], tag="\x1b[2J", by="\x1b[2J", limit=0)
    assert "\x1b" not in service.inv("start", "--tag", "3.0").stdout
