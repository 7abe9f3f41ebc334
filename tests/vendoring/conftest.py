"""A folder vendor/ with a vendor.yaml, and what its libraries come from."""

import os
from collections.abc import Iterator
from pathlib import Path

import projects
import pytest
from vendoring.upstreams import Repository, Server, bring, pins, serve, zipped


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    made = Server()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)  # then pip reads no file, and is not asked for what they say
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", made.url + "/simple/")
    yield made
    made.stop()


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    (tmp_path / "vendor").mkdir()
    return tmp_path / "vendor"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "upstream")


@pytest.fixture
def project(tmp_path: Path, vendor: Path) -> Path:
    """The real `inv` in a project tree of its own, for what needs a process."""
    projects.files(tmp_path, vendor=False)
    return tmp_path


@pytest.fixture
def fetched(server: Server, vendor: Path) -> Path:
    """A library in place."""
    files = {"a": b"a", "b": b"b", "c/d": b"d", "e": b"e", "f": b"f"}
    pins(vendor, f"apex: {serve(server, 'x.zip', zipped(files))}")
    bring(vendor)
    server.asked.clear()
    return vendor
