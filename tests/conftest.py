"""What the tests share: a private Docker Engine, a project to type commands in, and a source to build from."""

import copy
import os
import signal
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
from engines import PrivateEngine
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir
from sites import WIDE, Site, buildkit
from switches import old
from versions import make_all

for number in (signal.SIGINT, signal.SIGHUP):  # ignored by what a shell starts in the background, and under nohup
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "inv-hypothesis")
# Made-up inputs: new ones at every run, of which none is written into the checkout.
settings.register_profile("quick", deadline=None, database=None, suppress_health_check=list(HealthCheck))  # 100 of each
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=2000)
settings.load_profile("thorough" if os.environ.get("CI") else "quick")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that take longest where half of the workers begin: what is begun last, the others wait for.

    They wait more than they compute, so the other half has the cores meanwhile. Those of a module share what it makes,
    and stay together. At first each worker has its share in one piece; who has nothing left takes from others' ends.
    """
    slow = [item for item in items if item.get_closest_marker("slow")]
    rest = [item for item in items if not item.get_closest_marker("slow")]
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = len(items) // workers
    firsts: list[list[pytest.Item]] = [[] for _ in range(max(1, workers // 2))]
    modules = [list(some) for _, some in groupby(slow, lambda item: item.path)]
    for module in sorted(modules, key=len, reverse=True):
        min(firsts, key=len).extend(module)
    items.clear()
    for number in range(workers):
        items += firsts.pop(0) if firsts else []
        more = share * (number + 1) - len(items)
        items += rest[:more]
        rest = rest[more:]
    items += rest


@pytest.fixture(scope="session")
def private_engine() -> Iterator[PrivateEngine]:
    """One engine for the whole run, in the variable DOCKER_HOST too."""
    with PrivateEngine() as engine, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", engine.host)
        patch.delenv("DOCKER_CONTEXT", raising=False)
        yield engine


@pytest.fixture
def engine(private_engine: PrivateEngine) -> Iterator[PrivateEngine]:
    """The private engine, without containers before and after each test."""
    private_engine.clean()
    yield private_engine
    private_engine.clean()


@pytest.fixture(scope="session")
def tiny(private_engine: PrivateEngine) -> str:
    """A 2 MB image with busybox: `tiny:1`."""
    return private_engine.busybox()


@pytest.fixture
def site(engine: PrivateEngine, tiny: str, tmp_path: Path) -> Site:
    """A team's own framework with settings of its own, on the private engine; nothing is built yet."""
    return Site(engine, tiny, tmp_path)


@pytest.fixture
def own_site(site: Site) -> Site:
    """The same with a copy of the project and a frame that is built fast."""
    site.own_project()
    site.environment.update(buildkit(site))
    site.dockerfile.write_text("FROM tests/base:latest\nCOPY . /srv\n")
    return site


# A site whose versions are made once: what differs from test to test are its containers.


@pytest.fixture(scope="module")
def made(
    request: pytest.FixtureRequest, private_engine: PrivateEngine, tiny: str, tmp_path_factory: pytest.TempPathFactory
) -> Site:
    """A site with the versions that the module names in VERSIONS (see `make_all`), made once."""
    private_engine.clean()
    site = Site(private_engine, tiny, tmp_path_factory.mktemp("site"))
    make_all(site, request.module.VERSIONS)
    return site


@pytest.fixture
def versions(made: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """That site without containers, before and after, with the settings that the module names in START."""
    made.engine.remove_containers()
    before = copy.deepcopy(made.settings)
    made.set(**{"timeout": WIDE, **getattr(request.module, "START", {})})
    yield made
    made.settings.clear()
    made.settings.update(before)
    made.save()
    made.engine.remove_containers()


@pytest.fixture
def service(versions: Site) -> Site:
    """That site, on which 1.0 runs."""
    old(versions)
    return versions
