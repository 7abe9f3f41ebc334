"""The docker clients of a run: each ends, whatever becomes of its engine, of its pipe, or of who reads what is said."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import psutil
import pytest
from engines import PrivateEngine
from invoke import Exit

from tasks.engine import client as asking
from tasks.engine.endpoint import Endpoint
from tasks.engine.engine import Engine
from tasks.engine.facts import Facts
from tasks.shipping import digests, processes
from tasks.shipping.arrival import Arrival, feed
from tasks.shipping.host import Cargo, Host
from tasks.shipping.meter import Meter
from tasks.shipping.processes import Clients
from tasks.shipping.transfer import with_blobs

IGNORES = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(1000)"


@pytest.fixture
def clients() -> Iterator[Clients]:
    found = Clients()
    yield found
    found.stop()


def test_an_interrupt_ends_one_that_heeds_no_signal(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docker's does not, while it waits for its pipe."""
    monkeypatch.setattr(processes, "SOON", 0.1)
    client = clients.start([sys.executable, "-c", IGNORES], {}, feeds=True)
    client.read(1)
    clients.stop()
    assert client.process.wait(5) == -signal.SIGKILL


def test_all_who_ask_at_a_time_hear_what_it_said(clients: Clients) -> None:
    client = clients.start(["sh", "-c", "echo one >&2; echo 'no such thing' >&2; exit 1"], {}, feeds=True)
    assert client.result() == 1
    heard: list[str] = []
    threads = [threading.Thread(target=lambda: heard.extend(client.words() for _ in range(200))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == ["no such thing"] * 1600


def test_a_host_that_neither_takes_anything_nor_answers_is_given_up(
    private_engine: PrivateEngine, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "QUIET", 0.2)
    monkeypatch.setattr(asking, "TIMEOUT", 0.5)
    with PrivateEngine(alone=True) as there:
        assert there.process
        (dockerd,) = [one for one in psutil.Process(there.process.pid).children(True) if one.name() == "dockerd"]
        arrival = arriving(there, clients)
        dockerd.suspend()

        def write(out: IO[bytes]) -> int:
            for _ in range(100):
                out.write(bytes(1 << 20))
            return 0

        with pytest.raises(Exit) as refused:
            feed(arrival, Meter(), write)
        dockerd.resume()
    assert f"{there.host} took nothing any more. The Docker Engine at {there.host} does not answer: timed out" in str(
        refused.value.message
    )
    assert not clients.running


@pytest.mark.parametrize("refuses", [False, True])
def test_who_answers_is_not_given_up(
    private_engine: PrivateEngine, clients: Clients, monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    monkeypatch.setattr(processes, "QUIET", 0.1)
    if refuses:  # as what lets only some questions through to an engine does
        monkeypatch.setattr(asking, "over_socket", lambda *_: (403, b'{"message": "no"}'))
    engine = Engine(Endpoint(private_engine.host))
    client = clients.start([sys.executable, "-c", "import time; time.sleep(0.6); print(1)"], {}, True, engine)
    assert client.read() == b"1\n" and client.result() == 0 and not client.lost
    clients.end(client)


def arriving(there: PrivateEngine, clients: Clients) -> Arrival:
    """An image on its way to a host, as far as its docker client needs one."""
    host = Host(there.host, Engine(Endpoint(there.host)))
    return Arrival(cast(Any, None), cast(Any, None), host, clients, "tests/visdom:1.0.building-0a1b2c3d00000000")


def test_an_output_that_nobody_reads_ends_it(private_engine: PrivateEngine, clients: Clients) -> None:
    """As in `inv ship … | head -2`: what is said of the progress cannot be written any more."""

    def tell(meter: Meter) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        feed(arriving(private_engine, clients), Meter(tell), lambda out: out.write(b"x"))
    assert not clients.running


def test_a_containerd_store_that_cannot_be_read_says_why(
    private_engine: PrivateEngine, tiny: str, clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\necho 'no such thing' >&2; exit 1\n")
    client.chmod(0o755)
    cargo = Cargo.of(Engine(Endpoint(private_engine.host)), tiny)
    monkeypatch.setattr(Engine, "facts", lambda _: Facts("29", "overlayfs", True, (), 1, 1, "/"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(Exit, match=f"{tiny} cannot be read from this engine: no such thing"):
        with_blobs(cargo, clients)
    assert not clients.running


def test_two_who_ask_one_store_at_a_time_have_two_names_for_it() -> None:
    alone = digests.alone
    with alone("engine team/app") as first, alone("engine team/app") as second, alone("another team/app") as other:
        assert first == other != second
    with alone("engine team/app") as again:
        assert again == first, "so that what a killed run left is replaced"


def test_an_engine_behind_tcp_is_asked_several_questions_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=20)

    def fetch(self: Engine, target: str) -> tuple[int, bytes]:
        both.wait()
        time.sleep(0.01 if target == "/0" else 0)
        return 200, f'{{"is": "{target}"}}'.encode()

    monkeypatch.setattr(Engine, "fetch", fetch)
    engine = Engine(Endpoint("tcp://127.0.0.1:1"))
    assert [said["is"] for said in engine.get_each([f"/{n}" for n in range(100)])] == [f"/{n}" for n in range(100)]
