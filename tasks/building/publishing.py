"""Tags: an image is built under one for the time being, and the tag that people know moves once it is there."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine import commands
from ..engine.names import BUILDING
from ..engine.records import Image
from ..settings.model import ROOT

if TYPE_CHECKING:
    from .build import Build


def publish(build: "Build", reference: str, former: Image | None, may_move: Callable[[Image | None], bool]) -> bool:
    """Move a tag to the image that was built for it, unless it means another one than when the build began.

    Args:
        former: what the tag named when it was decided to build.
        may_move: says whether the tag may move from what it names now; raises Exit where it must not.

    Returns:
        Whether it moved.
    """
    try:
        with one_tag_at_a_time(build):
            now = former if build.dry else build.engine.image(reference)
            if (now and now.id) != (former and former.id) and not may_move(now):
                return False
            build.do(commands.tag_image(passing(reference), reference), f"{reference} cannot be tagged.")
    finally:
        discard(build, reference)
    return True


def discard(build: "Build", reference: str) -> None:
    """Take away the tag that an image had for the time of its build."""
    build.do(commands.remove_image(passing(reference)), f"{passing(reference)} cannot be removed.")


def discard_left_over(build: "Build", reference: str) -> None:
    """Take away what a killed build has left: no list of versions should show it, nor a build take it for its own.

    Args:
        reference: `repository:tag` of this build, for the time being.
    """
    if build.dry:
        return
    repository, _, tag = reference.rpartition(":")
    own = tag.rpartition(".")[2]
    found = {image.reference for image in build.engine.images(repository) if image.tag.endswith(f".{own}")}
    if build.engine.image(reference):  # its labels may be missing
        found.add(reference)
    for left in sorted(found):
        build.do(commands.remove_image(left), f"{left} cannot be removed.")


def passing(reference: str) -> str:
    """The tag under which this checkout builds an image: no other checkout's, on no other machine, in no container."""
    repository, _, tag = reference.rpartition(":")
    files = Path("/proc/self/ns/mnt")  # another container may have this one's name, and the checkout's path
    seen = files.stat().st_ino if files.exists() else 0
    return f"{repository}:{tag[:100]}{BUILDING}{short_hash(f'{os.uname().nodename}:{seen}:{ROOT}')}"


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@contextmanager
def one_tag_at_a_time(build: "Build") -> Iterator[None]:
    """Let no other checkout on this machine move a tag of the same engine meanwhile.

    Docker cannot move a tag only if it still names what it did. Where the lock cannot be had, the moment between the
    question and the answer is short.
    """
    from tempfile import gettempdir

    lock = Path(gettempdir(), f"inv-{short_hash(build.engine.endpoint.host)}.lock")
    descriptor = -1
    with suppress(OSError):
        if not build.dry:
            new = 0 if lock.exists() else os.O_CREAT  # another user's is opened, and not made again
            descriptor = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | new, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)
