"""What the tests share: a private Docker Engine, a project to type commands in, and a source to build from."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import PrivateEngine
from sites import Site

from tasks.shared.debian import program


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
    busybox = program("busybox")
    assert busybox, "busybox is missing; ./inv test installs busybox-static"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(busybox, "bin/busybox")
        for name in ("sh", "sleep", "nc", "httpd", "wget", "cat", "echo", "kill", "touch", "test", "ls", "env", "rm"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        for name in ("tmp", "data", "etc"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o777
            tar.addfile(folder)
    subprocess.run(
        ["docker", "--host", private_engine.host, "import", "-", "tiny:1"],
        input=archive.getvalue(),
        check=True,
        capture_output=True,
    )
    return "tiny:1"


@pytest.fixture
def site(engine: PrivateEngine, tiny: str, tmp_path: Path) -> Site:
    """A team's own framework with settings of its own, on the private engine; nothing is built yet."""
    return Site(engine, tiny, tmp_path)
