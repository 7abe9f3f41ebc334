"""Whose container: what a switch takes for a version of its service, and what it leaves alone (test_bystanders.py)."""

import pytest
from sites import Site, free_port
from switches import eventually, leftovers, old, only
from versions import SERVE

from tasks.engine import records
from tasks.service import versions

SLEEP = ["sleep", "1000"]
VERSIONS: dict[str, dict[str, str]] = {tag: {} for tag in ("1.0", "2.0", "3.0", "recovery", "next")}


@pytest.fixture
def site(versions: Site) -> Site:
    """The site, under the name by which the module `versions` is not hidden."""
    return versions


def test_two_services_of_one_image_know_nothing_of_each_other(site: Site) -> None:
    site.inv("start", "--tag", "1.0")
    port = free_port()
    site.frame.update(service="second", port=port, command=["sh", "-c", SERVE.format(port=port)])
    site.save()
    look = ("inspect", "--format", "{{.Id}} {{.State.Running}} {{.State.StartedAt}}")
    first = site.docker(*look, "tests_service")
    site.inv("start", "--tag", "1.0", "--from-settings")
    site.inv("stop")
    assert set(site.running()) == {"tests_service"} and site.docker(*look, "tests_service") == first
    site.docker("start", "second")
    second = site.docker(*look, "second")
    site.frame.update(service="tests_service", port=site.port)
    site.save()
    assert "before: 1.0;" in site.inv("start", "--tag", "2.0", "--no-rehearsal").stdout
    assert "is stopped" in site.inv("stop").stdout
    assert set(site.running()) == {"second"} and site.docker(*look, "second") == second


def test_a_service_started_by_hand_as_its_image_recommends_counts_whatever_the_settings_call_it(site: Site) -> None:
    old(site)
    site.frame["service"] = "another"
    site.save()
    assert "another; before: 1.0;" in site.inv("start", "--tag", "2.0", "--no-rehearsal").stdout
    assert site.running() == {"another": "tests/visdom:2.0"}
    said = site.inv("rollback").stdout  # its kept container counts too
    assert "1.0 runs as another" in said
    assert "How another.1.0 was run is recorded nowhere: it runs as its image recommends." in said


def test_the_anonymous_volume_of_a_version_that_was_started_by_hand_stays_when_its_container_goes(site: Site) -> None:
    """It may hold somebody's data: no switch made it."""
    before = set(site.docker("volume", "ls", "--quiet").split())
    old(site, Mounts=[{"Type": "volume", "Target": "/work"}])
    (volume,) = set(site.docker("volume", "ls", "--quiet").split()) - before
    site.set(keep=0)
    site.inv("start", "--tag", "2.0", "--no-rehearsal")
    assert site.docker("ps", "--all", "--format", "{{.Names}}") == "tests_service"
    assert volume in site.docker("volume", "ls", "--quiet").split()
    site.docker("volume", "rm", volume)


def test_a_service_of_other_settings_for_the_same_image_is_left_alone_when_it_was_started_by_hand(site: Site) -> None:
    old(site)
    first = site.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "tests_service")
    site.frame.update(service="second", port=free_port())
    site.frame["command"] = ["httpd", "-f", "-p", str(site.frame["port"]), "-h", "/srv"]
    site.save()
    site.inv("frame", "start")
    assert sorted(site.running()) == ["second", "tests_service"]
    assert "second is stopped" in site.inv("stop").stdout
    assert list(site.running()) == ["tests_service"]
    assert site.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "tests_service") == first


def test_a_training_on_the_services_port_is_named_and_nothing_is_touched(site: Site) -> None:
    old(site, "1.0", "train")
    told = site.inv("start", "--tag", "2.0", code=1).stderr
    assert f"Port {site.port} is held by the container train" in told
    assert site.docker("ps", "--all", "--format", "{{.Names}}") == "train"


# Names that only a switch has


def test_what_no_switch_made_is_not_removed_for_its_name(site: Site) -> None:
    old(site)
    for kind in ("rehearsal", "recovery"):
        found = site.engine.container(f"tests_service.{kind}", "tests/visdom:1.0", SLEEP)
        told = site.inv("start", "--tag", "2.0", code=1).stderr
        assert f"docker rename tests_service.{kind}" in told and told.count("\n") == 1
        assert site.docker("inspect", "--format", "{{.Id}} {{.State.Running}}", found) == f"{found} true"
        site.docker("rm", "--force", found)
    only(site, "1.0")


@pytest.mark.parametrize("tag", ["recovery", "next"])
def test_a_kept_container_does_not_get_a_name_that_a_switch_needs(site: Site, tag: str) -> None:
    site.inv("start", "--tag", tag)
    site.inv("start", "--tag", "2.0", "--no-rehearsal")
    assert not leftovers(site)
    assert "No version" not in site.inv("stop").stdout
    assert f"{tag} runs as tests_service" in site.inv("rollback").stdout
    only(site, tag)


# Reading names


def test_a_container_that_others_link_to_goes_by_its_own_name() -> None:
    row = {"Id": "a", "Names": ["/other/db", "/mine"], "ImageID": "b", "State": "running", "Labels": {}}
    assert records.container_row(row).name == "mine"


def test_a_kept_name_says_which_version(site: Site) -> None:
    old(site)
    site.inv("start", "--tag", "2.0", "--no-rehearsal")
    site.engine.container("tests_service.notebook", "tests/visdom:1.0", SLEEP, start=False)
    site.set(keep=1)
    site.inv("start", "--tag", "3.0", "--no-rehearsal")  # keeps 2.0, and removes 1.0 but not what is no version
    names = site.docker("ps", "--all", "--format", "{{.Names}}").split()
    assert sorted(names) == ["tests_service", "tests_service.2.0", "tests_service.notebook"]
    assert versions.temporary("a") == ("a.next", "a.rehearsal", "a.recovery")
    eventually(lambda: site.answer() == "3.0")
