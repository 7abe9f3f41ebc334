"""A run that has lost its lock touches nothing more, and what a switch replaces comes back as it was."""

import json
import re
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from invoke import Config, Context
from msgspec.structs import replace
from sites import Site
from switches import LABEL, Run, eventually, go_on, held, leave, leftovers, old, only, told_to_stop
from versions import LATE, SERVE

from tasks.service import ticket
from tasks.service.connections import Hold
from tasks.service.holding import Lock, Lost
from tasks.service.service import Service, order_of_running
from tasks.service.ticket import Held, Ticket
from tasks.settings.load import load_file

STUBBORN = f"trap '' TERM; {SERVE.replace('exec ', '')} & while :; do sleep 0.1; done"
ALWAYS = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}
# `late` listens when it is told to, `mute` never; `stubborn` takes 3 s to stop.
VERSIONS: dict[str, dict[str, Any]] = {
    "1.0": {},
    "2.0": {},
    "3.0": {},
    "late": {"script": LATE},
    "mute": {"script": "exec sleep 1000"},
    "stubborn": {"script": STUBBORN, "options": ("--network", "host", "--stop-timeout", "3")},
}


@pytest.fixture
def site(versions: Site) -> Site:
    """The site, whose settings recommend what its versions do."""
    versions.frame["command"] = ["sh", "-c", SERVE.format(port=versions.port)]
    versions.save()
    return versions


def since(site: Site) -> str:
    """Which container serves, and since when."""
    return site.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "tests_service")


# The lock


def test_a_candidate_that_is_pruned_in_the_rehearsal_means_that_nothing_is_stopped(site: Site) -> None:
    old(site)
    before = since(site)
    run = Run(site, "start", "--tag", "late").until("starting")
    site.docker("container", "prune", "--force")
    go_on(site, "tests_service.rehearsal")
    said = run.end(1)
    assert "Lock lost: somebody removed tests_service.next. 1.0 runs as before." in said and "docker stop" not in said
    assert since(site) == before
    only(site, "1.0")


def test_a_lock_that_somebody_else_has_is_left_to_them(site: Site) -> None:
    old(site)
    before = since(site)
    run = Run(site, "start", "--tag", "late").until("starting")
    site.docker("rm", "tests_service.next")
    leave(site, "3.0", [held(site)])
    go_on(site, "tests_service.rehearsal")
    said = run.end(1)
    assert "Lock lost: ann@elsewhere is switching to 3.0 since" in said and "Nothing more was touched." in said
    assert since(site) == before and leftovers(site) == ["tests_service.next"]


def test_a_lock_is_its_candidate_and_its_recovery_lock_and_no_others(site: Site) -> None:
    c = Context(Config(overrides={"run": {"in_stream": False}}))
    chosen = load_file(c, site.file)
    service = Service(c, site.engine.api, chosen, chosen.frames["visdom"])

    def recovering(by: Ticket) -> None:
        label = f"{LABEL}={by.text()}"
        site.docker("create", "--name", "tests_service.recovery", "--label", label, "tests/visdom:1.0", "true")

    def lost(lock: Lock) -> Lost:
        with pytest.raises(Lost) as caught:
            lock.do(["docker", "rename", lock.target, "touched"], "")
        return caught.value

    leave(site, "2.0", [])
    found = service.engine.container("tests_service.next")
    theirs = ticket.read(found)
    assert found and theirs
    mine = ticket.write("recovery", (), 60)
    lock = Lock(service, theirs, found.id, Hold(service, found.id), mine)
    assert not lost(lock).taken
    recovering(mine)
    assert lock.check() == found
    site.docker("rm", "tests_service.recovery")
    recovering(replace(mine, pid=1, by="bob@elsewhere"))
    assert lost(lock).taken and "bob@elsewhere" in str(lost(lock).message)
    site.docker("rm", "tests_service.recovery")
    assert lost(replace(lock, recovery=None, id="0" * 64)).taken is False
    opened = replace(lock, recovery=None, open=True)
    assert not lost(opened).taken
    assert leftovers(site) == ["tests_service.next"]
    site.docker("rm", "tests_service.next")
    assert opened.check() is None


def test_a_run_that_sleeps_is_ended_by_a_person_and_wakes_up_too_late(site: Site) -> None:
    old(site)
    run = Run(site, "start", "--tag", "mute", "--no-rehearsal").until("starting")
    run.signal(signal.SIGSTOP)
    for words in (["start", "--tag", "3.0"], ["stop"]):
        assert "is switching to mute" in site.inv(*words, code=1).stderr
    done = site.inv("start", "--tag", "3.0", "--take-over")
    assert "is switching to mute since" in done.stdout and "and is ended: recovering" in done.stdout
    only(site, "3.0")
    before = since(site)
    said = run.signal(signal.SIGCONT).end(1)
    assert f"@{socket.gethostname()} has switched to 3.0 meanwhile. Nothing more was touched." in said
    assert since(site) == before
    only(site, "3.0")


@pytest.mark.parametrize("task", ["stop", "rollback"])
def test_a_run_that_is_gone_without_a_trace_is_ended_by_stop_and_by_rollback_too(site: Site, task: str) -> None:
    site.engine.container("tests_service.3.0", "tests/visdom:3.0", ["sh", "-c", SERVE.format(port=site.port)])
    site.docker("stop", "tests_service.3.0")
    old(site)
    leave(site, "2.0", [held(site)])
    site.docker("stop", "tests_service")
    assert "type --take-over with start, stop or rollback" in site.inv("stop", code=1).stderr
    done = site.inv(task, "--take-over")
    assert "ann@elsewhere is switching to 2.0 since" in done.stdout and "and is ended: recovering" in done.stdout
    assert "1.0 runs as before." in done.stdout and not leftovers(site)
    if task == "rollback":
        only(site, "3.0")
    else:
        assert "tests_service is stopped" in done.stdout and not site.running()


def test_a_run_is_gone_when_its_machine_was_booted_since_or_too_much_time_has_passed() -> None:
    here = ticket.write("2.0", (), 60)
    booted = Ticket(**{**fields(here), "space": "00000000-4026531836"})
    assert booted.gone(0) and not here.gone(10_000)
    assert not Ticket(**{**fields(booted), "machine": "another@machine"}).gone(0)
    container = Ticket(**{**fields(here), "space": here.space + "1"})  # beside this one, with processes of its own
    assert not container.gone(59) and container.gone(61)
    without_proc = Ticket(**{**fields(here), "born": "", "machine": ""})
    assert not without_proc.gone(59) and without_proc.gone(61)


def fields(of: Ticket) -> dict[str, Any]:
    return {name: getattr(of, name) for name in of.__struct_fields__}


def test_after_a_reboot_the_service_is_recovered_at_once(site: Site) -> None:
    old(site)
    leave(site, "2.0", [held(site)], space="00000000-4026531836", machine=ticket.machine())
    site.docker("stop", "tests_service")
    assert "1.0 runs as before." in site.inv("start", "--tag", "1.0").stdout
    only(site, "1.0")


# What comes back


def test_an_old_version_that_is_pruned_is_made_anew_as_it_ran(site: Site) -> None:
    site.frame["run_options"] = ["--network", "host", "--init", "--env", "FROM=settings"]
    site.save()
    site.inv("start", "--tag", "1.0", "--from-settings")
    before = since(site)
    run = Run(site, "start", "--tag", "mute", "--no-rehearsal").until("starting")
    site.docker("container", "prune", "--force")
    run.signal(signal.SIGINT)
    said = run.end(130)
    assert "tests_service was removed meanwhile; it is made anew, as it ran." in said and "1.0 runs as before." in said
    only(site, "1.0")
    assert since(site) != before and "FROM=settings" in environment(site)


def test_one_that_is_made_anew_is_in_the_networks_that_it_was_connected_to(site: Site) -> None:
    """Where one of them is gone meanwhile, it runs without."""
    networks = ("tests-one", "tests-two", "tests-three", "tests-gone")
    try:
        for number, name in enumerate(networks):
            site.docker("network", "create", "--subnet", f"10.213.{number}.0/24", name)
        site.frame["run_options"] = ["--network", networks[0], "--init"]
        site.save()
        site.inv("start", "--tag", "1.0", "--from-settings")
        site.docker("network", "connect", "--alias", "web", "--alias", "www", networks[1], "tests_service")
        site.docker("network", "connect", "--ip", "10.213.2.77", networks[2], "tests_service")
        site.docker("network", "connect", networks[3], "tests_service")
        before = connected(site)
        run = Run(site, "start", "--tag", "mute", "--no-rehearsal").until("starting")
        site.docker("container", "prune", "--force")
        site.docker("network", "rm", networks[3])
        run.signal(signal.SIGINT)
        said = run.end(130)
        assert "1.0 runs as before." in said
        assert f"tests_service cannot be connected to {networks[3]} again. It runs without that network.\n" in said
        after = connected(site)
        assert after == {name: before[name] for name in networks[:3]}
        assert {"web", "www"} <= after[networks[1]][0] and after[networks[2]][1] == "10.213.2.77"
    finally:
        site.engine.remove_containers()
        for name in networks:
            site.docker("network", "rm", name, check=False)


def connected(site: Site) -> dict[str, tuple[set[str], str]]:
    """The service's networks, with its names there, and the address that was asked for."""
    details = json.loads(site.docker("inspect", "tests_service"))[0]
    return {
        name: (set(one["Aliases"] or ()) - {details["Id"][:12]}, (one["IPAMConfig"] or {}).get("IPv4Address", ""))
        for name, one in details["NetworkSettings"]["Networks"].items()
    }


def environment(site: Site) -> str:
    return site.docker("inspect", "--format", "{{.Config.Env}}", "tests_service")


def test_a_rollback_brings_a_version_back_as_it_ran_and_rehearses_only_when_asked(site: Site) -> None:
    site.frame["run_options"] = ["--network", "host", "--init", "--env", "FROM=settings"]
    site.save()
    site.inv("start", "--tag", "1.0", "--from-settings")
    site.frame["run_options"] = ["--network", "host", "--init"]
    site.save()
    site.inv("start", "--tag", "2.0", "--no-rehearsal")
    done = site.inv("rollback")
    assert "1.0 runs as tests_service; before: 2.0" in done.stdout and "rehearsal" not in done.stdout
    assert "FROM=settings" in environment(site)
    assert "docker create --pull=never --name=tests_service.rehearsal" in site.inv("rollback", "--rehearsal").stdout
    only(site, "2.0")
    assert "FROM=settings" not in environment(site)


def flood(site: Site) -> None:
    """Make the engine forget what it did: it remembers 256 events."""
    for number in range(260):
        site.engine.request("POST", f"/images/tiny:1/tag?repo=flood&tag={number % 2}")


def test_a_stop_that_the_engine_has_forgotten_is_seen_to_its_end(site: Site) -> None:
    site.inv("start", "--tag", "stubborn")
    run = Run(site, "start", "--tag", "2.0", "--no-rehearsal").until("docker stop")
    told_to_stop(site)
    run.signal(signal.SIGKILL, group=False)
    run.process.wait()
    flood(site)
    assert "stubborn runs as before" in site.inv("start", "--tag", "stubborn").stdout
    time.sleep(3)
    only(site, "stubborn")


def test_a_candidate_that_cannot_be_started_any_more_means_going_back(site: Site) -> None:
    """Killed between the renames; then the candidate's mount was gone, say. The restart policy comes back too."""
    site.engine.container("tests_service", "tests/visdom:1.0", ["sh", "-c", SERVE.format(port=site.port)], ALWAYS)
    was = {**held(site), "restart": "on-failure:3"}
    leave(site, "2.0", [was], ["--ulimit", "nofile=2147483647"], limit=0)
    site.docker("stop", "tests_service")
    site.docker("rename", "tests_service", "tests_service.1.0")
    site.docker("update", "--restart=no", "tests_service.1.0")
    assert "1.0 runs as before." in site.inv("start", "--tag", "1.0").stdout
    only(site, "1.0")
    policy = "{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}"
    assert site.docker("inspect", "--format", policy, "tests_service") == "on-failure:3"


def test_a_switch_that_cannot_get_its_name_any_more_goes_back_and_ends(site: Site) -> None:
    """Killed between the renames; then somebody gave the service's name to a container of another image."""
    old(site)
    was = held(site)
    leave(site, "2.0", [was], limit=0)
    site.docker("stop", "tests_service")
    site.docker("rename", "tests_service", "tests_service.1.0")
    site.docker("create", "--name", "tests_service", "tiny:1", "true")
    done = site.inv("start", "--tag", "2.0", code=1)
    assert "1.0 runs as before." in done.stdout and "docker rename tests_service NAME" in done.stderr
    assert site.running() == {"tests_service.1.0": "tests/visdom:1.0"} and not leftovers(site)


def test_on_a_full_disk_the_candidate_goes_first(site: Site, tmp_path: Path) -> None:
    old(site)
    docker = shutil.which("docker")
    client = tmp_path / "docker"  # nothing can be started while the candidate takes the room
    client.write_text(
        f'#!/bin/sh\n[ "$1" = start ] && {docker} inspect tests_service.next >/dev/null 2>&1 && exit 1\n'
        f'exec {docker} "$@"\n'
    )
    client.chmod(0o755)
    path = f"{tmp_path}:{site.environment['PATH']}"
    told = site.inv("start", "--tag", "2.0", "--no-rehearsal", code=1, PATH=path).stderr
    assert re.search(r"2\.0 cannot be started\. 1\.0 runs as before\. It was down for \d+ ms\.\n$", told)
    only(site, "1.0")


def test_a_stop_that_was_cut_off_before_its_update_is_mended_by_the_next(site: Site) -> None:
    site.engine.container("tests_service", "tests/visdom:1.0", ["true"], ALWAYS, start=False)
    assert "docker update --restart=no" in site.inv("stop").stdout
    policy = "{{.HostConfig.RestartPolicy.Name}}"
    assert site.docker("inspect", "--format", policy, "tests_service") == "no"
    assert "update" not in site.inv("stop").stdout


def test_which_version_ran_last_is_counted_and_not_read_from_a_clock(site: Site) -> None:
    from tasks.engine import label
    from tasks.engine.records import ContainerRow

    def made_by(number: int, key: str, *replaced: str) -> ContainerRow:
        found = ticket.write("1.0", tuple(Held(one * 12, "", True) for one in replaced), 60, number)
        return ContainerRow(key * 64, key, "", "exited", {label.TICKET: found.text()} if number else {})

    rows = [made_by(2, "c", "b"), made_by(0, "b"), made_by(1, "a"), made_by(5, "e", "c")]
    places = order_of_running(rows)
    assert [places[key * 64] for key in "abce"] == [1.0, 1.5, 4.5, 5.0]
    eventually(lambda: not site.running())
