"""One `docker save` for several hosts: each reads all of it, and none has to wait for one that takes nothing."""

import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import pytest
from switches import eventually

from tasks.shipping import source
from tasks.shipping.processes import Client, Clients
from tasks.shipping.saved import PIECE
from tasks.shipping.source import LetGo, Reader, Source, Sources

WRITES = f"import sys; [sys.stdout.buffer.write(bytes([n]) * {PIECE}) for n in range(24)]; sys.stdout.write('tail.')"
# More than is kept for one who is behind.
WHOLE = b"".join(bytes([number]) * PIECE for number in range(24)) + b"tail."


class Saving(NamedTuple):
    """What stands for `docker save`, and each run of it."""

    clients: Clients
    runs: list[Client]
    source: Source


@pytest.fixture
def saving(request: pytest.FixtureRequest) -> Saving:
    """Its parameter: the program, and who is expected."""
    script, expected = getattr(request, "param", (WRITES, ["one", "two"]))
    clients, runs = Clients(), []

    def start() -> Client:
        runs.append(clients.start([sys.executable, "-c", script], {}, feeds=True))
        return runs[-1]

    return Saving(clients, runs, Source(clients, start, expected))


def beside(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def whole(reader: Reader) -> bytes:
    with reader:
        return b"".join(iter(reader.read, b""))


def ended(saving: Saving) -> bool:
    return not saving.clients.running and all(one.process.poll() is not None for one in saving.runs)


def test_each_reads_all_and_it_runs_once(saving: Saving) -> None:
    found: list[bytes] = []
    second = beside(lambda: found.append(whole(saving.source.reader("two"))))
    with saving.source.reader("one") as reader:  # in odd pieces
        found.append(b"".join(iter(lambda: reader.read(300_001), b"")))
    second.join()
    assert found == [WHOLE, WHOLE] and len(saving.runs) == 1 and ended(saving)


def test_it_waits_for_who_is_expected_and_who_comes_late_gets_one_of_its_own(
    saving: Saving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "TOGETHER", 0.3)
    began = time.monotonic()
    assert whole(saving.source.reader("one")) == WHOLE and time.monotonic() - began >= 0.3
    assert whole(saving.source.reader("two")) == WHOLE
    assert whole(saving.source.reader("two")) == WHOLE
    assert len(saving.runs) == 3 and ended(saving)


def test_who_says_that_it_will_not_read_is_not_waited_for(saving: Saving) -> None:
    saving.source.leave("two")
    assert whole(saving.source.reader("one")) == WHOLE
    assert len(saving.runs) == 1 and ended(saving)


def test_who_takes_nothing_is_let_go(saving: Saving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "STALLED", 0.3)
    with saving.source.reader("two") as stuck:
        stuck_alone = beside(lambda: eventually(lambda: stuck.late))
        assert whole(saving.source.reader("one")) == WHOLE
        stuck_alone.join()
        with pytest.raises(LetGo):
            stuck.read()
    assert ended(saving)


def test_who_is_alone_may_take_its_time(saving: Saving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "STALLED", 0.01)
    saving.source.leave("two")
    with saving.source.reader("one") as slow:
        time.sleep(0.3)
        assert b"".join(iter(slow.read, b"")) == WHOLE


@pytest.mark.parametrize("saving", [("import time; time.sleep(1000)", ["one", "two"])], indirect=True)
def test_nothing_runs_on_when_all_have_left(saving: Saving) -> None:
    with saving.source.reader("one"):
        pass
    assert not ended(saving)  # the other is expected
    saving.source.leave("two")
    assert ended(saving)


@pytest.mark.parametrize("saving", [("print('x'); exit(3)", ["one"])], indirect=True)
def test_its_exit_code_is_there_for_who_finds_it_cut_off(saving: Saving) -> None:
    with saving.source.reader("one") as reader:
        assert (reader.read(), reader.read()) == (b"x\n", b"")
        assert reader.client.process.wait(60) == 3


def test_those_share_one_who_lack_the_same_and_come_before_it_begins(saving: Saving) -> None:
    sources = Sources(saving.clients, saving.source.start)
    first, second, other = sources.enter("one", 2), sources.enter("two", 2), sources.enter("new", 0)
    assert first is second is not other
    whole_of_both = [beside(lambda name=name: whole(first.reader(name))) for name in ("one", "two")]  # type: ignore[misc]
    for thread in whole_of_both:
        thread.join()
    assert len(saving.runs) == 1 and sources.enter("late", 2) is not first
    assert whole(other.reader("new")) == WHOLE and len(saving.runs) == 2


def test_an_interrupt_ends_it(saving: Saving) -> None:
    with saving.source.reader("one") as reader:
        saving.clients.stop()
        saving.source.leave("two")
        list(iter(reader.read, b""))
    assert ended(saving)


def test_who_has_had_its_time_while_another_was_waited_for_gets_no_more(saving: Saving) -> None:
    with saving.source.reader("one") as stuck:
        for _ in range(source.AHEAD):
            stuck.take(b"piece", alone=False)
        stuck.took -= source.STALLED
        stuck.take(b"piece", alone=False)
        assert stuck.late
    saving.source.leave("two")


@pytest.mark.parametrize(
    "saving", [(f"import time; print(end='x', flush=True); time.sleep(0.6); {WRITES}", ["one", "two"])], indirect=True
)
def test_nobody_is_let_go_because_the_engine_took_its_time(saving: Saving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "STALLED", 0.5)
    found: list[bytes] = []
    second = beside(lambda: found.append(whole(saving.source.reader("two"))))
    found.append(whole(saving.source.reader("one")))
    second.join()
    assert found == [b"x" + WHOLE] * 2
