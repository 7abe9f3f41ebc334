"""Waiting for a version's health: by its own check, at the check's own terms."""

import re
from typing import Any

import pytest
from sites import WIDE, Site
from switches import eventually, only
from versions import CHECK, NO_CHECK

from tasks.engine.records import HealthCheck, health_check
from tasks.service import health

HOST = ("--network", "host", "--init")


SLOW = f"sleep 2.2; {CHECK}"
SICK = f"test ! -e /tmp/sick && {CHECK}"
# A check that succeeds, then fails twice, and so on; docker itself does not come to run it.
SHAKY = f"echo x >>/tmp/n; case $(wc -l </tmp/n) in *[1470]) {CHECK};; *) exit 1;; esac"
VERSIONS: dict[str, dict[str, Any]] = {
    "1.0": {},
    "silent": {"check": NO_CHECK},
    "slow": {"options": (*HOST, "--health-timeout", "5s"), "check": SLOW},
    "too_slow": {"options": (*HOST, "--health-timeout", "1s"), "check": SLOW},
    "shaky": {"options": (*HOST, "--health-interval", "60s"), "check": SHAKY},
    "strict": {"options": (*HOST, "--health-interval", "60s", "--health-retries", "2"), "check": SHAKY},
    "sick": {"options": (*HOST, "--health-interval", "1s", "--health-retries", "1"), "check": SICK},
}
START = {"settle": 0.2, "rehearse": False}


@pytest.fixture
def site(service: Site) -> Site:
    """The site on which 1.0 runs; nothing is rehearsed."""
    return service


def test_a_check_may_take_as_long_as_it_says_itself(site: Site) -> None:
    site.set(timeout=3)
    said = site.inv("start", "--tag", "too_slow", code=1).stderr
    assert "too_slow did not become healthy within 3 s: its health check takes longer than 2.0 s" in said
    site.set(timeout=WIDE)
    said = site.inv("start", "--tag", "slow").stdout
    found = re.search(r"tests_service.next: healthy, (\d\.\d) s", said)
    assert found and float(found[1]) >= 2.2
    only(site, "slow")
    assert health.allowed(HealthCheck((), timeout=60), left=90) == 60 and health.allowed(HealthCheck(()), 90) == 30


def test_a_check_may_fail_as_often_as_its_retries_allow(site: Site) -> None:
    site.set(settle=1)
    said = site.inv("start", "--tag", "shaky").stdout
    assert "tests_service.next: failing" in said and "shaky runs as tests_service" in said
    assert "strict turned unhealthy after " in site.inv("start", "--tag", "strict", code=1).stderr
    only(site, "shaky")


def test_without_a_check_the_wait_says_how_long_it_took(site: Site) -> None:
    site.set(settle=1)
    assert re.search(r"tests_service.next: up, 1\.\d s", site.inv("start", "--tag", "silent").stdout)
    only(site, "silent")


def test_an_unhealthy_version_is_not_already_running(site: Site) -> None:
    site.inv("start", "--tag", "sick")
    assert "sick is already running as tests_service." in site.inv("start", "--tag", "sick").stdout
    site.docker("exec", "tests_service", "touch", "/tmp/sick")
    eventually(lambda: "(unhealthy)" in site.docker("ps", "--format", "{{.Status}}"))
    way = f"inv -f {site.file} start --tag sick --force"
    said = f"sick runs as tests_service, but is unhealthy. To replace the container, type: {way}\n"
    assert site.inv("start", "--tag", "sick", code=1).stderr == said
    typed = ("--wait", "5", "--no-rehearsal", "--from-settings", "--trust", "--yes")
    told = site.inv("start", "--latest", *typed, "--take-over", code=1).stderr
    assert told.endswith(f"type: inv -f {site.file} start {' '.join(typed)} --take-over --tag sick --force\n")
    site.inv("start", "--tag", "sick", "--force")
    only(site, "sick")


def test_what_a_check_leaves_out_is_dockers_default() -> None:
    shell = {"Test": ["CMD-SHELL", "true"], "Timeout": 60_000_000_000, "Retries": 5}
    found = health_check({"Healthcheck": shell, "Shell": ["/bin/bash", "-c"]})
    assert found == HealthCheck(("/bin/bash", "-c", "true"), timeout=60, interval=30, retries=5)
    zero = {"Test": ["CMD", "a", "b"], "Timeout": 0, "Interval": 0, "Retries": 0}
    assert health_check({"Healthcheck": zero}) == HealthCheck(("a", "b"), 30, 30, 3)
    assert health_check({}) is None
    assert health_check({"Healthcheck": None}) is None
    assert health_check({"Healthcheck": {"Test": []}}) is None
    assert health_check({"Healthcheck": {"Test": ["NONE"]}}) is None
