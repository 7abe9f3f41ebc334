"""Fetching several libraries at once and putting each in place by a rename; one run at a time in one folder.

Everything is made in a staging folder in vendor/.tmp and only then renamed, so that a killed run leaves the old folder
or none. The lock is gone with its process, however that ended, so whoever holds it knows that what lies in .tmp is
nobody's.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

from ..host.files import locked, locked_if_free
from ..host.saying import say
from ..host.text import brief
from . import downloads, manifest, repositories
from .display import display
from .index import distribution
from .job import Job, Refused
from .manifest import Kind
from .pins import Git, Pin, Pypi, Url, line, write_rev
from .pip_settings import PipSettings, configured
from .plan import Wishes, choose, make_plan

LOCK = ".lock"
AT_ONCE = 4
PATIENCE = 5  # seconds that a stopped thread gets to end by itself


def carry_out(vendor: Path, wishes: Wishes, moved: Mapping[str, Git]) -> list[str]:
    """Fetch and remove what the pins ask for, and write down `moved` pins that have arrived; one run at a time.

    Returns:
        A sentence for everything that is still not as its pin says.
    """
    with locked(vendor / LOCK, f"Another fetch-vendor is at work in {vendor}; waiting for it."):
        shutil.rmtree(vendor / manifest.TMP, ignore_errors=True)  # a killed run's git may still write: the next clears
        pins = choose(vendor, wishes.only, moved)  # again: another run may have done it meanwhile, or changed the pins
        plan = make_plan(vendor, pins, wishes)
        for name in plan.remove:
            remove(vendor, name)
            say(f"{brief(name)}: removed, it is no longer in vendor.yaml")
        failed = fetch(vendor, {name: pins[name] for name in plan.fetch}, wishes.force) if plan.fetch else {}
        for name, pin in moved.items():
            if manifest.state(vendor, name, line(pin)).kind is Kind.READY:
                write_rev(vendor / "vendor.yaml", name, pin.rev)
    return plan.problems + [f"{name} was not fetched: {failed[name]}." for name in plan.fetch if name in failed]


def clear(vendor: Path) -> None:
    """Clear away what killed runs left, unless a run is at work."""
    with locked_if_free(vendor / LOCK) as mine:
        if mine:
            shutil.rmtree(vendor / manifest.TMP, ignore_errors=True)


def fetch(vendor: Path, pins: Mapping[str, Pin], force: bool) -> dict[str, str]:
    """Fetch every pin and put it in place, several at a time. Needs the lock.

    Args:
        force: whether edits by hand may be overwritten.

    Returns:
        Those that failed, each with its reason; nothing of them is in place, and what was there before still is.
    """
    failed: dict[str, str] = {}
    pip = configured() if any(isinstance(pin, Pypi) for pin in pins.values()) else PipSettings()
    with staging_folder(vendor) as staging, display(list(pins)) as progress:
        stop = Event()

        def work(name: str) -> None:
            folder = staging / name
            folder.mkdir()
            job = Job(folder, pip, lambda step, done, total: progress.tell(name, step, done, total), stop)
            try:
                fresh = fetch_one(pins[name], job)
                manifest.write(fresh, line(pins[name]))
                if not stop.is_set():
                    place(vendor, name, fresh, folder / "old", force)
                manifest.state(vendor, name)  # so that the next run has nothing to read
                progress.end(name, "fetched")
            except Exception as error:  # whatever it is, the other libraries shall arrive
                failed[name] = as_refusal(error)
                progress.end(name, "failed")
            shutil.rmtree(folder, ignore_errors=True)

        in_threads(list(pins), work, stop)
    return failed


def fetch_one(pin: Pin, job: Job) -> Path:
    """Fetch what a pin says and verify it; returns the folder that may be put in place.

    Raises:
        Refused: with the reason, as the end of a sentence.
    """
    match pin:
        case Pypi():
            return distribution(pin, job)
        case Url():
            return downloads.archive(pin, job)
        case Git():
            return repositories.commit(pin, job)


def as_refusal(error: Exception) -> str:
    """Why a library cannot be had, as the end of a sentence."""
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {brief(error.filename)}" if error.filename else error.strerror
    return f"{type(error).__name__}: {brief(error)}"


def in_threads(names: list[str], work: Callable[[str], None], stop: Event) -> None:
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


@contextmanager
def staging_folder(vendor: Path) -> Iterator[Path]:
    """A new folder on the same disk as vendor/, gone afterwards."""
    (vendor / manifest.TMP).mkdir(exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=vendor / manifest.TMP))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        with suppress(OSError):
            (vendor / manifest.TMP).rmdir()


def place(vendor: Path, name: str, fresh: Path, old: Path, force: bool) -> None:
    """Put a finished folder, with its manifest, in place; what stood there goes to `old`, and comes back if that fails.

    Raises:
        Refused: when the library was edited while it was being fetched.
    """
    home = vendor / name
    if not force and manifest.state(vendor, name).edited:
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
    """Take a library away, at once: it is there or not, and never half. Needs the lock."""
    with staging_folder(vendor) as staging:
        (vendor / name).rename(staging / "old")
    (vendor / manifest.CACHE / f"{name}.json").unlink(missing_ok=True)
