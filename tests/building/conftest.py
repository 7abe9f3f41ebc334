"""A repository to build from, and the release that is asked of it."""

from pathlib import Path

import pytest
from building.checkouts import Asked, Repository
from invoke import Config, Context
from sites import IDENTITY

from tasks.building import release


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def c() -> Context:
    return Context(Config(overrides={"run": {"in_stream": False}}))


@pytest.fixture
def source(tmp_path: Path) -> Repository:
    """A repository without a commit."""
    return Repository(tmp_path / "source")


@pytest.fixture
def asked(c: Context) -> Asked:
    return lambda where: release.release(c, where, "0.2")
