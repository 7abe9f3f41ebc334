"""Rollouts that meet another one: of somebody else, taken over, killed, or interrupted."""

import json
import re
import signal
from collections.abc import Iterator

import pytest
from rollouts import (
    JOB,
    SERVICE,
    begin,
    only,
    running,
    state,
    tasks,
)
from sites import Site
from swarms import Swarm
from switches import Run, eventually

from tasks.engine import swarm as asked

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("customers")]


def test_a_second_rollout_during_the_first_is_told_who_is_at_it(fleet: Site, swarm: Swarm) -> None:
    begin(fleet)
    first = Run(fleet, "rollout", "--tag", "2.0").until("n1: 2.0 ")
    refused = fleet.inv("rollout", "--tag", "ends", code=1).stderr
    assert " is switching to 2.0 since " in refused and "Nothing was changed." in refused
    assert json.loads(fleet.inv("rollout", "--status", "--json", code=1).stdout)["rollout"]["to"] == "2.0"
    first.end(0)
    only(fleet, "2.0")

    third = Run(fleet, "rollout", "--tag", "1.0").until("n1: 1.0 ")
    fleet.docker("service", "rm", SERVICE)
    said = third.end(1)
    assert "1.0 failed: somebody removed the service." in said
    assert re.search(r"No node runs tests_service\. Type: inv .* rollout --tag 2\.0\n", said)
    # Swarm forgets the tasks at once, and their containers take a moment more to give the port back.
    eventually(lambda: not any(f"{SERVICE}." in name for one in swarm.engines for name in running(one)), 30)


@pytest.fixture
def slow(fleet: Site) -> Iterator[Site]:
    """That site, whose nodes come one after another with a pause between: so much that nothing overlaps."""
    fleet.set(settle=4)
    yield fleet
    fleet.set(settle=0.5)


def test_one_that_was_taken_over_does_nothing_more(slow: Site) -> None:
    fleet = slow
    begin(fleet)
    first = Run(fleet, "rollout", "--tag", "2.0").until(": 2.0 running")
    fleet.inv("rollout", "--tag", "1.0", "--take-over")
    said = first.end(1)
    assert re.search(
        r"is switching to 1\.0 since .*, and has taken this over\. Nothing more is done here\. See: ", said
    )
    assert " rollback " not in said and " rm " not in said
    only(fleet, "1.0")


def test_a_killed_rollout_is_finished_by_the_swarm_and_its_lock_goes_with_the_next(fleet: Site) -> None:
    begin(fleet)
    Run(fleet, "rollout", "--tag", "2.0").until("n1: 2.0 ").signal(signal.SIGKILL).end(-signal.SIGKILL)
    assert asked.service(fleet.engine.api, JOB)
    said = fleet.inv("rollout", "--status", code=1).stdout
    assert "The swarm is updating it, and nobody watches that." in said and "is switching" not in said
    eventually(lambda: [task.version.tag for task in tasks(fleet) if task.state == "running"] == 3 * ["2.0"], 60)
    eventually(lambda: state(fleet) == "completed", 30)
    by_hand(fleet, "1.0")
    said = fleet.inv("rollout", "--tag", "2.0").stdout
    assert "that run is over" in said
    only(fleet, "2.0")


def by_hand(site: Site, tag: str) -> None:
    """Have docker alone bring another image to each node; the labels stay, and are not believed."""
    image = site.docker("image", "inspect", "--format", "{{.Id}}", f"tests/visdom:{tag}")
    words = ["--detach", "--quiet", "--no-resolve-image", "--update-parallelism=0", "--image", image]
    site.docker("service", "update", *words, SERVICE)
    short = image.removeprefix("sha256:")[:12]
    eventually(lambda: [(task.version.tag, task.state) for task in tasks(site)] == 3 * [(short, "running")], 60)
    eventually(lambda: state(site) == "completed", 30)


def test_an_interrupt_ends_the_watching_alone(slow: Site) -> None:
    fleet = slow
    begin(fleet, "2.0")
    said = Run(fleet, "rollout", "--tag", "1.0").until("n1: 1.0 ").signal(signal.SIGINT).end(130)
    assert "The swarm goes on by itself." in said
    busy = fleet.inv("rollout", "--tag", "2.0", code=1).stderr
    assert re.search(
        r"The swarm is updating tests_service_frame to 1.0 since 20\d\d-\S+ \S+ UTC \(\S+@\S+\)\. Noth", busy
    )
    fleet.inv("rollout", "--rollback")
    only(fleet, "2.0")
    found = asked.service(fleet.engine.api, SERVICE)
    assert found and found.before is None, "no way leads back to what was interrupted"
