"""Files that several processes use: locks that end with their process, and writing that nobody sees half done."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .saying import say


@contextmanager
def locked(path: Path, waiting: str) -> Iterator[None]:
    """Hold a lock (flock) on a file for the time of the block. It is gone with its process, however that ends.

    Args:
        path: the lock's file, which is made if need be and stays.
        waiting: the sentence to say when another process holds it, before waiting for that one.

    Raises:
        OSError: when the file cannot be opened.
    """
    with path.open("a") as lock:
        if not try_lock(lock.fileno()):
            say(waiting)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """The same without waiting; the block is told whether it holds the lock."""
    with path.open("a") as lock:
        yield try_lock(lock.fileno())


def try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file by writing another one beside it and renaming that: nobody sees it half written.

    Args:
        path: a symbolic link stays one; what it leads to is replaced.
        mode: permission bits; those of the former file, or the process's default, if None.

    Raises:
        OSError: when it cannot be written; the former file stays as it is.
    """
    target = path.resolve()
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        if mode is None and target.exists():
            mode = target.stat().st_mode & 0o777
        if mode is not None:
            part.chmod(mode)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
