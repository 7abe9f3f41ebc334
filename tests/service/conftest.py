"""What the tests of a service share: a site whose versions are made once, and the old version that runs on it."""

import copy
from collections.abc import Iterator

import pytest
from engines import PrivateEngine
from sites import Site
from switches import old
from versions import make_all


@pytest.fixture(scope="module")
def made(
    request: pytest.FixtureRequest, private_engine: PrivateEngine, tiny: str, tmp_path_factory: pytest.TempPathFactory
) -> Site:
    """A site with the versions that the module names in VERSIONS (see `make_all`), made once."""
    private_engine.clean()
    site = Site(private_engine, tiny, tmp_path_factory.mktemp("service"))
    make_all(site, request.module.VERSIONS)
    return site


@pytest.fixture
def versions(made: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """That site without containers, before and after, with the settings that the module names in START."""
    made.engine.remove_containers()
    before = copy.deepcopy(made.settings)
    made.set(**{"timeout": 10, **getattr(request.module, "START", {})})
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
