"""`ship --start` and `--back`: host after host, the first is the canary, and a failure ends it."""

import json
import re
import signal
from collections.abc import Iterator

import documented
import pytest
from engines import PrivateEngine
from sites import Site
from switches import Run, carry
from versions import make_all

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(private_engine: PrivateEngine, tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with two good versions and a bad one on the tests' own engine."""
    private_engine.clean()
    site = Site(private_engine, tiny, tmp_path_factory.mktemp("fleet"))
    process = {"options": ["--network", "none", "--init"], "check": ""}  # so that one can run on each host
    make_all(site, {"1.0": process, "2.0": process, "bad": {**process, "script": "exit 3"}})
    site.frame.pop("port")
    site.save()
    return site


@pytest.fixture(scope="module")
def engines(made: Site, tiny: str) -> Iterator[list[PrivateEngine]]:
    with PrivateEngine() as one, PrivateEngine() as two, PrivateEngine() as three:
        for engine in (one, two, three):
            carry(made.engine, engine, tiny)
        yield [one, two, three]


@pytest.fixture
def fleet(engines: list[PrivateEngine]) -> list[PrivateEngine]:
    for engine in engines:
        engine.clean()
    return engines


def runs(fleet: list[PrivateEngine]) -> list[str]:
    """The version that runs on each engine; "" for none."""
    rows = [engine.request("GET", "/containers/json") for engine in fleet]
    rows = [row if isinstance(row, list) else [row] for row in rows]
    return [row[0]["Labels"]["org.opencontainers.image.version"] if row else "" for row in rows]


def table(said: str) -> list[list[str]]:
    """The cells of the last lines."""
    return [line.split(None, 2) for line in said.splitlines()[-3:]]


def test_a_version_is_shipped_and_started_on_each_and_returned(made: Site, fleet: list[PrivateEngine]) -> None:
    hosts = [engine.host for engine in fleet]
    made.inv("ship", *hosts, "--tag", "1.0", "--start")
    assert runs(fleet) == ["1.0"] * 3
    said = made.inv("ship", *hosts, "--tag", "2.0", "--start").stdout
    assert runs(fleet) == ["2.0"] * 3
    assert table(said) == [[host, "2.0", "switched"] for host in hosts]
    again = made.inv("ship", *hosts, "--tag", "2.0", "--start").stdout
    assert table(again) == [[host, "2.0", "ran already"] for host in hosts] and "docker" not in again
    acts = [line for line in said.splitlines() if line.startswith(("docker start ", "docker stop ", "docker rename "))]
    assert not acts, "each command says which engine it is for"
    assert [line.split()[2] for line in said.splitlines() if " rename " in line] == [one for one in hosts for _ in "ab"]
    made.inv("rollback", DOCKER_HOST=hosts[1])
    back = made.inv("ship", *hosts, "--tag", "2.0", "--back").stdout
    assert runs(fleet) == ["1.0"] * 3
    assert [row[2] for row in table(back)] == ["returned", "left as it was", "returned"]


def test_the_first_that_fails_ends_it(made: Site, fleet: list[PrivateEngine]) -> None:
    hosts = [engine.host for engine in fleet]
    made.inv("ship", *hosts, "--tag", "1.0", "--start")
    done = made.inv("ship", *hosts, "--tag", "bad", "--start", "--json", code=1)
    assert runs(fleet) == ["1.0"] * 3
    said, last = done.stderr.rstrip("\n").rsplit("\n", 1)
    assert [row[1:] for row in table(said)] == [
        ["1.0", "failed"],
        ["1.0", "not reached"],
        ["1.0", "not reached"],
    ]
    assert last.startswith(f"{hosts[0]}: ") and "1.0 runs as before" in last
    document = json.loads(done.stdout)
    rows = document["hosts"]
    assert set(document) == documented.keys("ship") and set(rows[0]) == documented.keys("ship", "hosts[]")
    assert [row["host"] for row in rows] == hosts and {row["image"] for row in rows} == {"shipped"}
    assert [row["service"] for row in rows] == ["failed", "not reached", "not reached"]
    assert [row["runs"] for row in rows] == [["1.0"]] * 3 and rows[1]["error"] is None
    assert f"{hosts[0]}: {rows[0]['error']}" == last and rows[0]["sent"] < 65536 < rows[0]["left_out"]


def test_a_command_that_would_be_refused_is_refused_before_anything_is_sent(
    made: Site, fleet: list[PrivateEngine]
) -> None:
    make_all(made, {"private": {"options": ["--network", "none", "--init", "--pid", "host"], "check": ""}})
    hosts = [engine.host for engine in fleet[:2]]
    refused = made.inv("ship", *hosts, "--tag", "private", "--start", code=1)
    assert "--pid host is not on the list" in refused.stderr and refused.stdout == ""
    assert "Nothing was started on any host." in refused.stderr
    assert "Nobody can be asked" in made.inv("ship", *hosts, "--tag", "private", "--start", "--trust", code=2).stderr
    assert not [engine for engine in fleet if engine.api.image("tests/visdom:private")]


@pytest.mark.parametrize("back", [False, True])
def test_those_that_had_switched_return_if_that_was_asked_for(
    made: Site, fleet: list[PrivateEngine], back: bool
) -> None:
    hosts = [engine.host for engine in fleet]
    made.inv("ship", *hosts, "--tag", "1.0", "--start")
    fleet[1].docker("rename", "tests_service", "old")  # a name that is taken by a stranger is refused
    fleet[1].docker("rm", "--force", "old")
    fleet[1].container("tests_service", "tiny:1", ["sleep", "1000"])
    done = made.inv("ship", *hosts, "--tag", "2.0", "--start", *(["--back"] if back else []), code=1)
    outcomes = [row[-1] for row in table(done.stdout)]
    if back:
        assert outcomes == ["returned", "failed", "not reached"]
        assert ("type the same with --back" in done.stderr) is False
    else:
        assert outcomes == ["switched", "failed", "not reached"]
        assert f"{hosts[0]} runs the new version; to return, type the same with --back" in done.stderr
    version = fleet[0].request("GET", "/containers/json")
    version = version if isinstance(version, dict) else version[0]
    assert version["Labels"]["org.opencontainers.image.version"] == ("1.0" if back else "2.0")


def test_an_interrupt_leaves_each_host_with_a_version(made: Site, fleet: list[PrivateEngine]) -> None:
    """Where it came, nothing is left of the switch, so that the next run goes on; on the way back too."""
    hosts, fleet = [engine.host for engine in fleet[:2]], fleet[:2]
    made.inv("ship", *hosts, "--tag", "1.0", "--start")
    for words, number, there, outcome in (
        (["--start", "--back"], signal.SIGINT, ["2.0", "1.0"], "switched"),
        (["--start"], 0, ["2.0", "2.0"], "ran already"),
        (["--back"], signal.SIGTERM, ["1.0", "2.0"], "returned"),
    ):
        run = Run(made, "ship", *hosts, "--tag", "2.0", *words)
        if number:
            run.until(f"docker --host {hosts[1]} stop ").signal(signal.Signals(number))
        said = run.end(130 if number else 0)
        assert runs(fleet) == there
        assert re.search(rf"^{hosts[0]} +{there[0]} +{outcome}$", said, re.MULTILINE), said
        assert bool(re.search(rf"^{hosts[1]} +{there[1]} +stopped$", said, re.MULTILINE)) == bool(number), said
        names = [row["Names"][0] for engine in fleet for row in engine.request("GET", "/containers/json?all=1")]
        assert not [name for name in names if name.endswith((".next", ".rehearsal", ".recovery"))]
