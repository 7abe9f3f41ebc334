"""`ship --start` and `--back`: host after host, the first is the canary, and a failure ends it."""

from collections.abc import Iterator

import pytest
from engines import PrivateEngine
from sites import Site
from switches import carry
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
    made.inv("rollback", DOCKER_HOST=hosts[1])
    back = made.inv("ship", *hosts, "--tag", "2.0", "--back").stdout
    assert runs(fleet) == ["1.0"] * 3
    assert [row[2] for row in table(back)] == ["returned", "left as it was", "returned"]


def test_the_first_that_fails_ends_it(made: Site, fleet: list[PrivateEngine]) -> None:
    hosts = [engine.host for engine in fleet]
    made.inv("ship", *hosts, "--tag", "1.0", "--start")
    done = made.inv("ship", *hosts, "--tag", "bad", "--start", code=1)
    assert runs(fleet) == ["1.0"] * 3
    assert [row[1:] for row in table(done.stdout)] == [
        ["1.0", "failed"],
        ["1.0", "not reached"],
        ["1.0", "not reached"],
    ]
    assert done.stderr.startswith(f"{hosts[0]}: ") and "1.0 runs as before" in done.stderr


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
        assert f"{hosts[0]} run the new version; to return, type the same with --back" in done.stderr
    version = fleet[0].request("GET", "/containers/json")
    version = version if isinstance(version, dict) else version[0]
    assert version["Labels"]["org.opencontainers.image.version"] == ("1.0" if back else "2.0")
