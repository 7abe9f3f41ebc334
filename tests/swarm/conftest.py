"""A swarm of three nodes for each module of rollouts. Its tests share it, and begin with what they say: `begin`."""

from collections.abc import Iterator

import pytest
from rollouts import GOOD, JOB, SERVICE, VERSIONS, theirs
from sites import Site
from swarms import Swarm
from switches import carry, eventually
from versions import make_all

from tasks.engine import swarm as asked


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


@pytest.fixture(scope="module")
def customers(everywhere: Site, swarm: Swarm) -> Iterator[None]:
    """What else runs from the versions' images on each node, under names near the service's: it is never touched."""
    for engine in swarm.engines:
        engine.container("tests_service", "tests/visdom:1.0", ["sleep", "100000"])
    image = everywhere.docker("image", "inspect", "--format", "{{.Id}}", "tests/visdom:2.0")
    words = ["--detach", "--quiet", "--mode", "global", "--no-resolve-image", "--no-healthcheck", "--name"]
    everywhere.docker("service", "create", *words, f"{SERVICE}2", image, "sleep", "100000")
    eventually(lambda: all(len(theirs(engine)) == 2 for engine in swarm.engines), 30)
    before = [theirs(engine) for engine in swarm.engines]
    yield
    assert [theirs(engine) for engine in swarm.engines] == before


@pytest.fixture
def fleet(everywhere: Site) -> Iterator[Site]:
    """That site; no lock is left over."""
    yield everywhere
    assert not asked.service(everywhere.engine.api, JOB)
