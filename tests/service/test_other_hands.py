"""Other people's hands, and programs', on a switch's containers: whatever they do, a version serves afterwards."""

import signal
from typing import Any

import pytest
from sites import Site
from switches import Run, eventually, go_on, leftovers, only
from versions import LATE

# `mute` never listens, `late` when it is told to.
VERSIONS: dict[str, dict[str, Any]] = {
    "1.0": {},
    "2.0": {},
    "late": {"script": LATE, "check": "false"},
    "mute": {"script": "exec sleep 1000"},
}


@pytest.fixture
def site(versions: Site) -> Site:
    """The site, on which 1.0 runs as a switch has started it."""
    versions.inv("start", "--tag", "1.0")
    return versions


def test_a_candidate_that_is_renamed_is_given_up_and_the_old_version_comes_back(site: Site) -> None:
    run = Run(site, "start", "--tag", "late", "--no-rehearsal").until("starting")
    site.docker("rename", "tests_service.next", "mine")
    site.docker(
        "exec", "mine", "touch", "/tmp/now", check=False
    )  # its check, which waits, ends; it may be gone already
    assert "1.0 runs as before." in run.end(1)
    only(site, "1.0")
    assert site.docker("ps", "--all", "--format", "{{.Names}}") == "tests_service"


def test_a_candidate_that_another_run_has_named_for_good_is_left_alone(site: Site) -> None:
    run = Run(site, "start", "--tag", "late", "--no-rehearsal").until("starting")
    site.docker("rename", "tests_service", "tests_service.1.0")
    site.docker("rename", "tests_service.next", "tests_service")
    go_on(site, "tests_service")
    assert "somebody has finished the switch to late meanwhile. Nothing more was touched." in run.end(1)
    assert site.running() == {"tests_service": "tests/visdom:late"}


def test_an_old_version_that_is_started_again_is_not_taken_for_the_new_one(site: Site) -> None:
    run = Run(site, "start", "--tag", "mute", "--no-rehearsal").until("starting")
    site.docker("start", "tests_service")  # it has the port, and answers the health check of `mute`
    eventually(lambda: site.answer() == "1.0")
    said = run.end(1)
    assert "Somebody has started tests_service again meanwhile" in said and "1.0 runs as before." in said
    only(site, "1.0")


def test_a_new_version_whose_port_an_old_one_has_again_says_so(site: Site) -> None:
    run = Run(site, "start", "--tag", "late", "--no-rehearsal").until("starting")
    site.docker("start", "tests_service")
    eventually(lambda: site.answer() == "1.0")
    go_on(site)
    assert "late exited with code 1. Somebody has started tests_service again meanwhile" in run.end(1)
    only(site, "1.0")


def test_a_rollback_brings_back_what_was_stopped_where_nothing_else_is_left(site: Site) -> None:
    run = Run(site, "start", "--tag", "mute", "--no-rehearsal").until("starting")
    run.signal(signal.SIGKILL).end(-signal.SIGKILL)
    site.docker("rm", "--force", "tests_service.next")
    assert not site.running()
    assert "1.0 runs as tests_service" in site.inv("rollback").stdout
    only(site, "1.0")


# Copies of the service's containers, which carry its labels


def copy(site: Site, name: str) -> None:
    """Run the service's image once more with all labels of the service's container, as `runlike` prints it."""
    labels = site.engine.request("GET", "/containers/tests_service/json")["Config"]["Labels"]
    options = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    site.docker("run", "--detach", "--name", name, "--network", "none", *options, "tests/visdom:1.0", "sleep", "1000")


def test_a_copy_of_the_services_container_is_its_owners(site: Site) -> None:
    copy(site, "training")
    before = site.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "training")
    site.inv("start", "--tag", "2.0", "--no-rehearsal")
    site.inv("stop")
    assert site.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "training") == before
    assert [*site.running()] == ["training"] and not leftovers(site)


def test_a_copy_made_from_an_image_that_is_gone_is_its_owners(site: Site) -> None:
    site.docker("commit", "tests_service", "debug:1")
    site.engine.container("debug", "debug:1", ["sleep", "1000"], start=False)
    site.docker("image", "rm", "--force", "debug:1")
    site.docker("start", "debug")
    assert "before: 1.0;" in site.inv("start", "--tag", "2.0", "--no-rehearsal").stdout
    assert site.running() == {"tests_service": "tests/visdom:2.0", "debug": site.running()["debug"]}


def test_a_service_that_was_renamed_by_hand_is_still_the_services(site: Site) -> None:
    site.docker("rename", "tests_service", "renamed")
    assert "before: 1.0;" in site.inv("start", "--tag", "2.0", "--no-rehearsal").stdout
    only(site, "2.0")


def test_a_version_that_somebody_tries_under_a_kept_name_is_theirs(site: Site) -> None:
    for name in ("tests_service.1.0", "tests_service.1.0.7"):
        site.docker("run", "--detach", "--name", name, "--network", "none", "tests/visdom:1.0", "sleep", "1000")
    site.engine.container("tests_service.2.0", "tests/visdom:2.0", ["sleep", "1000"], start=False)
    site.set(keep=0)
    assert "before: 1.0;" in site.inv("start", "--tag", "2.0", "--no-rehearsal").stdout
    site.inv("stop")
    assert {*site.running()} == {"tests_service.1.0", "tests_service.1.0.7"}
    names = site.docker("ps", "--all", "--format", "{{.Names}}").split()
    assert sorted(names) == ["tests_service", "tests_service.1.0", "tests_service.1.0.7", "tests_service.2.0"]
