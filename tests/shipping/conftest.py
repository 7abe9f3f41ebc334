"""What the tests of shipping share: a site with versions of two layers, and a second engine that has the lower one."""

from collections.abc import Iterator

import pytest
from engines import PrivateEngine
from shipments import version
from sites import Site
from switches import carry


@pytest.fixture(scope="module")
def second(private_engine: PrivateEngine, tiny: str) -> Iterator[PrivateEngine]:
    """Another engine, which has the layers below the versions."""
    with PrivateEngine() as engine:
        carry(private_engine, engine, tiny)
        yield engine


@pytest.fixture(scope="module")
def made(private_engine: PrivateEngine, tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with the versions 1.0 and 2.0 on the tests' own engine."""
    private_engine.clean()
    site = Site(private_engine, tiny, tmp_path_factory.mktemp("ship"))
    for tag in ("1.0", "2.0"):
        version(site, tag)
    return site


@pytest.fixture
def there(made: Site, second: PrivateEngine) -> Iterator[PrivateEngine]:
    """The second engine without any version."""
    second.clean()
    yield second
    second.clean()
