"""A node that is lost, or cannot go back, during a rollout."""

import re
from functools import partial

import pytest
from engines import PrivateEngine
from rollouts import SERVICE, begin, tasks
from sites import Site
from swarms import Swarm
from switches import Run, eventually

from tasks.engine import swarm as asked

pytestmark = pytest.mark.slow


def test_a_node_that_cannot_go_back_is_named_and_comes_back_when_the_cause_is_gone(fleet: Site, swarm: Swarm) -> None:
    begin(fleet)
    going = Run(fleet, "rollout", "--tag", "third").until("Each of the 3 nodes can run it")
    folder = swarm.engines[2].shared / "held"
    folder.rmdir()
    said = going.end(1)
    folder.mkdir()
    assert "third failed: n3: " in said and "  not here\n" in said
    assert "third failed, and not every node runs 1.0: n3. The swarm tries again by itself" in said
    assert said.count("n3: 1.0 rejected: invalid mount config") <= 2, "once in each part"
    eventually(lambda: [(task.version.tag, task.state) for task in tasks(fleet)] == 3 * [("1.0", "running")], 60)


def manages(engine: PrivateEngine) -> bool:
    """Whether an engine is a manager that answers."""
    return bool(engine.request("GET", "/info")["Swarm"]["ControlAvailable"])


def another_leads(swarm: Swarm) -> int:
    """Make each node a manager, and another than the first one the leader. Returns its number."""
    swarm.manager.docker("node", "promote", *swarm.nodes[1:])
    for other in swarm.engines[1:]:
        eventually(partial(manages, other), 60)
    other.docker("node", "demote", swarm.nodes[0])
    eventually(lambda: not manages(swarm.manager), 60)
    # Until the others have chosen a leader, they take nothing.
    eventually(lambda: other.docker("node", "promote", swarm.nodes[0], check=False).returncode == 0, 60)
    eventually(lambda: manages(swarm.manager), 60)
    nodes = other.request("GET", "/nodes")
    leader = next(node["ID"] for node in nodes if node.get("ManagerStatus", {}).get("Leader"))
    return swarm.nodes.index(leader)


def test_a_leader_that_is_lost_during_it_is_named_and_the_others_are_alike(fleet: Site, swarm: Swarm) -> None:
    """The last test: the node stays away."""
    begin(fleet)
    last = another_leads(swarm)
    going = Run(fleet, "rollout", "--tag", "2.0").until(": 2.0 running")
    swarm.engines[last].kill()
    said = going.end(1)
    assert f"{swarm.names[last]}: down" in said
    up = [(task.version.tag, task.state) for task in tasks(fleet) if task.node != swarm.nodes[last]]
    assert up in (2 * [("1.0", "running")], 2 * [("2.0", "running")])
    assert (
        f"Not every node of tests_service can run it: {swarm.names[last]} (down)."
        in fleet.inv("rollout", "--tag", "2.0", "--force", code=1).stderr
    )
    others = "tests_service_other"  # somebody deployed it as the same stack
    fleet.docker(
        "service",
        "create",
        "--detach",
        "--label",
        "com.docker.stack.namespace=tests_service",
        "--name",
        others,
        "tiny:1",
        "true",
    )
    assert fleet.inv("rollout", "--remove", code=2).stderr.endswith(" rollout --remove --yes\n")
    left = [engine for number, engine in enumerate(swarm.engines) if number != last]
    said = fleet.inv("rollout", "--remove", "--yes").stdout
    names = [row["Names"][0] for engine in left for row in engine.request("GET", "/containers/json")]
    assert not [name for name in names if name.startswith(f"/{SERVICE}.")], "it has waited for that"
    assert re.search("(1|2).0 has ended on n[123], n[123].\n$", said)
    assert asked.service(fleet.engine.api, SERVICE) is None
    assert asked.service(fleet.engine.api, others), "it is not ours"
