"""`ship` to a host behind a real sshd: one connection, and nothing that stays behind on either side."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from engines import PrivateEngine
from shipments import holds, image_id, version
from sites import Site
from sshd import Sshd
from switches import Run, eventually

from tasks.engine import ssh

pytestmark = pytest.mark.slow
REFERENCE = "tests/visdom:1.0"


@pytest.fixture
def sshd(there: PrivateEngine, tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path, there, shared=False)
    yield server
    with suppress(psutil.NoSuchProcess):  # a test may have ended it
        server.kill()


def typed(made: Site, sshd: Sshd) -> dict[str, Any]:
    """The environment in which ssh finds the keys, and this machine's docker means the site's engine."""
    return {"PATH": sshd.environment["PATH"], "DOCKER_HOST": made.engine.host}


def of_server(sshd: Sshd) -> list[str]:
    """The processes of the server's connections."""
    return [child.name() for child in psutil.Process(sshd.process.pid).children(recursive=True)]


def ssh_clients(sshd: Sshd) -> list[int]:
    """The processes of ssh that lead to the server."""
    return [
        process.pid
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] == "ssh" and str(sshd.folder) in " ".join(process.info["cmdline"] or [])
    ]


def accepted(sshd: Sshd) -> int:
    return (sshd.folder / "log").read_text().count("Accepted publickey")


def test_one_connection_brings_the_image(made: Site, there: PrivateEngine, sshd: Sshd) -> None:
    before = accepted(sshd)
    said = made.inv("ship", sshd.host, "--tag", "1.0", **typed(made, sshd)).stdout
    assert f"{sshd.host} has {REFERENCE}: " in said
    assert image_id(there, REFERENCE) == image_id(made.engine, REFERENCE) != ""
    assert accepted(sshd) == before + 1
    eventually(lambda: not of_server(sshd))
    assert ssh_clients(sshd) == []


def test_an_interrupt_leaves_no_process_on_either_side(made: Site, there: PrivateEngine, sshd: Sshd) -> None:
    version(made, "large", 60_000_000)
    before = holds(there)
    run = Run(made, "ship", sshd.host, "--tag", "large", **typed(made, sshd)).until("docker save")
    eventually(lambda: "docker" in of_server(sshd))
    run.signal(signal.SIGINT).end(130)
    eventually(lambda: not of_server(sshd))
    assert ssh_clients(sshd) == []
    eventually(lambda: holds(there) == before)


def test_a_run_that_is_killed_leaves_nothing_for_long(made: Site, there: PrivateEngine, sshd: Sshd) -> None:
    version(made, "large", 60_000_000)
    before = holds(there)
    run = Run(made, "ship", sshd.host, "--tag", "large", **typed(made, sshd)).until("docker save")
    run.process.send_signal(signal.SIGKILL)
    eventually(lambda: not of_server(sshd) and not ssh_clients(sshd))
    eventually(lambda: holds(there) == before)


def test_a_server_that_says_nothing_any_more_is_not_waited_for_without_end(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its network is gone: nobody closes the connection."""
    monkeypatch.setattr(ssh, "SILENCE", 1)
    monkeypatch.setenv("PATH", sshd.environment["PATH"])
    with ssh.shared():
        words = ["ssh", "-p", str(sshd.port), "root@127.0.0.1", "echo there; exec sleep 1000"]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as client:
            assert client.stdout and client.stdout.readline() == b"there\n"
            sessions = psutil.Process(sshd.process.pid).children()
            for session in sessions:
                session.suspend()
            assert client.wait(60) == 255
            for session in sessions:
                session.resume()


def test_a_server_that_goes_away_leaves_the_host_as_it_was(made: Site, there: PrivateEngine, sshd: Sshd) -> None:
    version(made, "large", 60_000_000)
    before = holds(there)
    run = Run(made, "ship", sshd.host, "--tag", "large", **typed(made, sshd)).until("docker save")
    eventually(lambda: "docker" in of_server(sshd))
    sshd.kill()
    said = run.end(1)
    assert f"{sshd.host} did not take it: " in said
    eventually(lambda: holds(there) == before)
