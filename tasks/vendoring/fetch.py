"""Fetching several libraries at once and putting each in place by a rename; one run at a time in one folder.

Everything is made in vendor/.tmp and only then renamed, so that a killed run leaves the old folder or none. The lock
(flock) is gone with its process, however that ended, so whoever holds it knows that what lies in .tmp is nobody's.
"""

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Protocol

from . import downloads as sources
from . import manifest as seal
from . import repositories as repository
from .pins import Git, Pin, Pypi, Refused, Url, line, shown

if TYPE_CHECKING:  # rich costs 60 ms: only who fetches pays
    from rich.progress import TaskID

LOCK = ".lock"
AT_ONCE = 4
PATIENCE = 5  # seconds that a stopped thread gets to end by itself


class Display(Protocol):
    """Where progress is shown; called from several threads."""

    def tell(self, name: str, step: str, done: int, total: int) -> None:
        """A library is at some step, with so many bytes of so many (0: unknown)."""

    def end(self, name: str, result: str) -> None:
        """A library is done with."""


class Lines:
    """Progress as lines, for a log."""

    def tell(self, name: str, step: str, done: int, total: int) -> None:
        """Say nothing: in a log, only results count."""

    def end(self, name: str, result: str) -> None:
        sys.stdout.write(f"{name}: {result}\n")  # one write: lines of several threads do not mix
        sys.stdout.flush()


class Bars:
    """Progress as bars, for a terminal."""

    def __init__(self, names: list[str]) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self.progress = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(bar_width=30),
            TextColumn("{task.fields[step]}", markup=False), TimeElapsedColumn(),
        )  # fmt: skip
        self.bars: dict[str, TaskID] = {
            name: self.progress.add_task(name, total=None, start=False, step="waiting") for name in names
        }

    def tell(self, name: str, step: str, done: int, total: int) -> None:
        size = f" {done / 1e6:.1f} of {total / 1e6:.1f} MB" if total else f" {done / 1e6:.1f} MB" if done else ""
        self.progress.start_task(self.bars[name])
        self.progress.update(self.bars[name], step=step + size, completed=done, total=total or None)

    def end(self, name: str, result: str) -> None:
        self.progress.update(self.bars[name], step=result, completed=1, total=1)
        self.progress.stop_task(self.bars[name])


@contextmanager
def display(names: list[str]) -> Iterator[Display]:
    """Bars on a terminal, lines elsewhere."""
    if sys.stdout.isatty():
        bars = Bars(names)
        with bars.progress:
            yield bars
    else:
        yield Lines()


@contextmanager
def turn(vendor: Path) -> Iterator[None]:
    """Be the only run that changes this folder; waits for another, and clears away what killed ones left."""
    with (vendor / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another fetch-vendor is at work in {vendor}; waiting for it.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(
            vendor / seal.TMP, ignore_errors=True
        )  # a killed run's git may still be writing: the next run clears
        yield


def clear(vendor: Path) -> None:
    """Clear away what killed runs left, unless a run is at work."""
    with (vendor / LOCK).open("a") as lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(vendor / seal.TMP, ignore_errors=True)


def fetch(vendor: Path, pins: Mapping[str, Pin], force: bool) -> dict[str, str]:
    """Fetch every pin and put it in place, several at a time. Needs the turn.

    Args:
        force: whether edits by hand may be overwritten.

    Returns:
        Those that failed, each with its reason; nothing of them is in place, and what was there before still is.
    """
    failed: dict[str, str] = {}
    index = sources.configured_index() if any(isinstance(pin, Pypi) for pin in pins.values()) else ""
    with room(vendor) as tmp, display(list(pins)) as shows:
        stop = Event()

        def work(name: str) -> None:
            desk = tmp / name
            desk.mkdir()
            job = sources.Job(desk, index, lambda step, done, total: shows.tell(name, step, done, total), stop)
            try:
                fresh = get(pins[name], job)
                seal.write(fresh, line(pins[name]))
                if not stop.is_set():
                    place(vendor, name, fresh, desk / "old", force)
                seal.look(vendor, name)  # so that the next run has nothing to read
                shows.end(name, "fetched")
            except Exception as error:  # whatever it is, the other libraries shall arrive
                failed[name] = reason(error)
                shows.end(name, "failed")
            shutil.rmtree(desk, ignore_errors=True)

        in_threads(list(pins), work, stop)
    return failed


def get(pin: Pin, job: sources.Job) -> Path:
    """Fetch what a pin says and verify it; returns the folder that may be put in place.

    Raises:
        Refused: with the reason, as the end of a sentence.
    """
    match pin:
        case Pypi():
            return sources.distribution(pin, job)
        case Url():
            return sources.archive(pin, job)
        case Git():
            return repository.commit(pin, job)


def reason(error: Exception) -> str:
    """An error as the end of a sentence."""
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {shown(error.filename)}" if error.filename else error.strerror
    return f"{type(error).__name__}: {shown(error)}"


def in_threads(names: list[str], work: "Work", stop: Event) -> None:
    """Do the work for each name in a few threads; Ctrl-C sets `stop` and does not wait for a server that is silent."""
    waiting: SimpleQueue[str] = SimpleQueue()
    for name in names:
        waiting.put(name)

    ended: SimpleQueue[None] = SimpleQueue()

    def loop() -> None:
        while not stop.is_set():
            try:
                name = waiting.get_nowait()
            except Empty:
                break
            work(name)
        ended.put(None)

    threads = [Thread(target=loop, daemon=True) for _ in range(min(AT_ONCE, len(names)))]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            ended.get()  # not join: once interrupted, Python 3.11 takes a thread that runs for one that has ended
    except BaseException:
        stop.set()
        with suppress(Empty):
            for _ in threads:
                ended.get(timeout=PATIENCE / len(threads))
        raise


class Work(Protocol):
    """What is done for one name."""

    def __call__(self, name: str, /) -> None: ...


@contextmanager
def room(vendor: Path) -> Iterator[Path]:
    """A new folder on the same disk as vendor/, gone afterwards."""
    (vendor / seal.TMP).mkdir(exist_ok=True)
    tmp = Path(tempfile.mkdtemp(dir=vendor / seal.TMP))
    try:
        yield tmp
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
        with suppress(OSError):
            (vendor / seal.TMP).rmdir()


def place(vendor: Path, name: str, fresh: Path, old: Path, force: bool) -> None:
    """Put a finished, sealed folder in place; what stood there goes to `old`, and comes back if that fails.

    Raises:
        Refused: when the library was edited while it was being fetched.
    """
    home = vendor / name
    if not force and seal.look(vendor, name).edited:
        raise Refused("it was edited by hand while it was being fetched; the edits were kept")
    if os.path.lexists(home):
        home.rename(old)
    try:
        fresh.rename(home)
    except OSError:
        if os.path.lexists(old):
            old.rename(home)
        raise


def remove(vendor: Path, name: str) -> None:
    """Take a library away, at once: it is there or not, and never half. Needs the turn."""
    with room(vendor) as tmp:
        (vendor / name).rename(tmp / "old")
    (vendor / seal.CACHE / f"{name}.json").unlink(missing_ok=True)
