"""A version on every node of a swarm: a good one, bad ones, and one that a node cannot run."""

import json
from itertools import pairwise

import pytest
from clients import Answer, refused
from documented import keys
from rollouts import (
    JOB,
    SERVICE,
    begin,
    containers,
    only,
    tasks,
)
from sites import Site
from swarms import Swarm
from switches import eventually

from tasks.engine import swarm as asked

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("customers")]


def one_node_at_a_time(seen: list[list[Answer]]) -> None:
    """No two nodes refused clients at once, and each served the old version until the new one. `seen`: of each node."""
    for answers in seen:
        said = [one.said for one in answers if one.said]
        assert said == said.count("1.0") * ["1.0"] + said.count("2.0") * ["2.0"] and {*said} == {"1.0", "2.0"}
        assert not [one for one in answers if one.trouble not in ("", "ConnectionRefusedError", "ConnectionResetError")]
    silent = sorted((one[0].begun, one[-1].begun) for one in map(refused, seen) if one)
    assert all(end < begun for (_, end), (begun, _) in pairwise(silent))


def test_a_first_version_and_a_good_one_after_it_and_back(fleet: Site, swarm: Swarm) -> None:
    assert fleet.inv("rollout", "--status", code=3).stdout.startswith(f"{SERVICE}: nothing runs. Type: inv ")
    for name, flags in ((SERVICE, ["--remove", "--yes"]), (JOB, ["--tag", "1.0"])):  # somebody else's
        fleet.docker("service", "create", "--detach", "--replicas", "0", "--name", name, "tiny:1", "true")
        said = fleet.inv("rollout", *flags, code=1).stderr
        assert f"{name} is in this swarm" in said and "no rollout made it. Nothing was changed." in said
        fleet.docker("service", "rm", name)
    other = swarm.engines[1]
    stranger = other.container("stranger", "tests/visdom:2.0", ["httpd", "-f", "-p", str(fleet.port)])
    held = fleet.inv("rollout", "--tag", "1.0", code=1).stderr
    other.request("DELETE", f"/containers/{stranger}?force=1")
    assert f"nothing was changed:\n  n2: something has its port {fleet.port}\n" in held
    assert "n1:" not in held and "by inv start, type there: inv stop" in held
    failed = fleet.inv("rollout", "--tag", "ends", code=1)
    assert "this version ends at once" in failed.stdout
    assert "ends was taken away again, and no node runs tests_service" in failed.stderr
    assert asked.service(fleet.engine.api, SERVICE) is None

    begin(fleet)
    assert fleet.inv("rollout", "--tag", "1.0").stdout == "1.0 runs on each of the 3 nodes already.\n"
    assert "remembers no version" in fleet.inv("rollout", "--rollback", code=2).stderr
    clients = swarm.clients(fleet.port, every=0.05)
    said = fleet.inv("rollout", "--tag", "2.0").stdout
    one_node_at_a_time([one.end() for one in clients])
    assert "Each of the 3 nodes can run it: n1, n2, n3." in said
    assert "In a future release" not in said  # docker's own words where nobody says whether it is to wait
    assert said.count("2.0 running") == 3 and "2.0 runs on each of the 3 nodes." in said
    only(fleet, "2.0")

    found = json.loads(fleet.inv("rollout", "--status", "--json").stdout)
    assert (found["version"], found["before"], found["healthy"], found["rollout"]) == ("2.0", "1.0", True, None)
    assert [(node["node"], node["version"], node["right"]) for node in found["nodes"]] == [
        (name, "2.0", True) for name in ("n1", "n2", "n3")
    ]
    assert found.keys() == keys("rollout") and found["nodes"][0].keys() == keys("rollout", "nodes[]")
    fleet.inv("rollout", "--rollback")
    only(fleet, "1.0")
    eventually(lambda: not any(JOB in name for one in swarm.engines for name in containers(one)))


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        ("ends", "this version ends at once"),
        ("sick", "sick failed"),
        ("hangs", "s went by without progress"),
    ],
)
def test_a_bad_version_is_taken_back_on_every_node(fleet: Site, tag: str, why: str) -> None:
    begin(fleet)
    failed = fleet.inv("rollout", "--tag", tag, code=1)
    assert why in failed.stdout
    assert f"{tag} failed, and each of the 3 nodes runs 1.0." in failed.stderr
    only(fleet, "1.0")
    found = asked.service(fleet.engine.api, SERVICE)
    assert found and (found.before is None or found.before.tag != tag), "no way leads back to the bad one"


@pytest.mark.parametrize(
    ("tag", "why"),
    [("alone", "n2: No such image: sha256:"), ("folder", "n3: invalid mount config for type")],
)
def test_a_node_that_cannot_run_it_is_found_out_before_anything_is_stopped(fleet: Site, tag: str, why: str) -> None:
    begin(fleet)
    before = {task.id for task in tasks(fleet)}
    said = fleet.inv("rollout", "--tag", tag, code=1).stderr
    assert why in said and "nothing was changed" in said
    assert {task.id for task in tasks(fleet)} == before


def test_a_worker_and_an_engine_without_a_swarm_say_what_to_type(fleet: Site, swarm: Swarm) -> None:
    said = fleet.inv("rollout", "--status", code=1, DOCKER_HOST=swarm.engines[1].host).stderr
    assert "is a worker of its swarm, and only a manager (10.99.0.1) can roll out" in said
    before, fleet.frame["service"] = fleet.frame["service"], "unlabelled"
    fleet.save()
    assert "No node has the label of unlabelled" in fleet.inv("rollout", code=1).stderr  # before a question
    fleet.frame["service"] = before
    fleet.save()
