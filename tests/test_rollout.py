"""A version on every node of a swarm: a good one, bad ones, a node that leaves, and two at once.

The tests share one swarm, and each begins with what it says: `begin`.
"""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from clients import Answer, refused
from documented import keys
from engines import PrivateEngine
from sites import Site
from swarms import Swarm
from switches import Run, carry, eventually
from versions import make_all

from tasks.engine import swarm as asked
from tasks.engine.swarm import Task

pytestmark = pytest.mark.slow

OPTIONS = ["--network", "host", "--init", "--restart", "always", "--stop-timeout", "2"]
GOOD = {"options": OPTIONS}
ON_TWO = 'if [ "$(hostname)" = n3 ]; then echo not here; exit 4; fi; echo "$VERSION" > /tmp/index.html; '
VERSIONS: dict[str, dict[str, Any]] = {
    "1.0": {"options": [*OPTIONS, "--volume", "/data/held:/held"]},
    "2.0": GOOD,
    "ends": {**GOOD, "script": "echo this version ends at once; exit 3"},
    "sick": {**GOOD, "check": "false"},
    "hangs": {**GOOD, "check": "sleep 1000"},  # neither healthy nor unhealthy for long
    "third": {**GOOD, "script": ON_TWO + "exec httpd -f -p {port} -h /tmp"},
    "folder": {"options": [*OPTIONS, "--volume", "/data/nowhere:/x"]},
}
SERVICE, JOB = "tests_service_frame", "tests_service_check"


@pytest.fixture(scope="module")
def swarm() -> Iterator[Swarm]:
    with Swarm() as found:
        yield found


@pytest.fixture(scope="module")
def everywhere(swarm: Swarm, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site whose engine is the swarm's manager; each node has every version, but `alone`, which only that one has."""
    site = Site(swarm.manager, swarm.manager.busybox(), tmp_path_factory.mktemp("fleet"))
    make_all(site, VERSIONS)
    for engine in swarm.engines:
        (engine.shared / "held").mkdir()
    for engine in swarm.engines[1:]:
        for tag in VERSIONS:
            carry(swarm.manager, engine, f"tests/visdom:{tag}")
    make_all(site, {"alone": GOOD})
    site.set(timeout=12, settle=0.5, volumes=["/data"])
    return site


@pytest.fixture(scope="module", autouse=True)
def customers(everywhere: Site, swarm: Swarm) -> list[dict[str, str]]:
    """What else runs from the versions' images on each node, under names near the service's."""
    for engine in swarm.engines:
        engine.container("tests_service", "tests/visdom:1.0", ["sleep", "100000"])
    image = everywhere.docker("image", "inspect", "--format", "{{.Id}}", "tests/visdom:2.0")
    words = ["--detach", "--quiet", "--mode", "global", "--no-resolve-image", "--no-healthcheck", "--name"]
    everywhere.docker("service", "create", *words, f"{SERVICE}2", image, "sleep", "100000")
    eventually(lambda: all(len(theirs(engine)) == 2 for engine in swarm.engines), 30)
    return [theirs(engine) for engine in swarm.engines]


def theirs(engine: PrivateEngine) -> dict[str, str]:
    """The containers of an engine that run and are nobody's but the customers': name to when it was started."""
    names = [name for name in running(engine) if not name.startswith((f"{SERVICE}.", f"{JOB}."))]
    return {name: engine.request("GET", f"/containers/{name}/json")["State"]["StartedAt"] for name in names}


def running(engine: PrivateEngine) -> list[str]:
    """The names of an engine's containers that run."""
    return [row["Names"][0][1:] for row in engine.request("GET", "/containers/json")]


@pytest.fixture
def fleet(everywhere: Site) -> Iterator[Site]:
    """That site; no lock is left over."""
    yield everywhere
    assert not asked.service(everywhere.engine.api, JOB)


def begin(site: Site, tag: str = "1.0") -> None:
    """Each node runs this version."""
    site.inv("rollout", "--tag", tag)
    only(site, tag)


def tasks(site: Site) -> list[Task]:
    """The tasks that are to run."""
    return [task for task in asked.tasks(site.engine.api, SERVICE) if task.wanted == "running"]


def only(site: Site, tag: str, nodes: int = 3) -> None:
    """So many nodes run this version, and none another one."""
    found = [(task.version.tag, task.state) for task in tasks(site)]
    assert found == nodes * [(tag, "running")]
    assert answer(site) == tag


def state(site: Site) -> str:
    """Swarm's own word on the last update."""
    found = asked.service(site.engine.api, SERVICE)
    return found.update if found else ""


def answer(site: Site) -> str:
    """What the manager's own node answers, in its own network."""
    command = [*site.engine.inside(), "busybox", "wget", "-q", "-O", "-", f"http://127.0.0.1:{site.port}/index.html"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


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


def containers(engine: PrivateEngine) -> list[str]:
    """The names of an engine's containers, of those that ended too."""
    return [row["Names"][0] for row in engine.request("GET", "/containers/json?all=1")]


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


def test_one_that_was_taken_over_does_nothing_more(fleet: Site) -> None:
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


def test_an_interrupt_ends_the_watching_alone(fleet: Site) -> None:
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


def test_a_worker_and_an_engine_without_a_swarm_say_what_to_type(fleet: Site, swarm: Swarm) -> None:
    said = fleet.inv("rollout", "--status", code=1, DOCKER_HOST=swarm.engines[1].host).stderr
    assert "is a worker of its swarm, and only a manager (10.99.0.1) can roll out" in said
    before, fleet.frame["service"] = fleet.frame["service"], "unlabelled"
    fleet.save()
    assert "No node has the label of unlabelled" in fleet.inv("rollout", code=1).stderr  # before a question
    fleet.frame["service"] = before
    fleet.save()


def test_what_else_runs_from_the_images_was_never_touched(swarm: Swarm, customers: list[dict[str, str]]) -> None:
    """After all that the tests before have done."""
    assert [theirs(engine) for engine in swarm.engines] == customers


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
