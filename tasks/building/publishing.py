"""Tags: an image is built under one for the time being, and the tag that people know moves once it is there."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..engine import commands
from ..engine.names import for_the_time_being
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
            since = 0.0 if build.dry else build.engine.now()
            now = former if build.dry else build.engine.image(reference)
            if (now and now.id) != (former and former.id) and not may_move(now):
                return False
            build.do(commands.tag_image(passing(reference), reference), f"{reference} cannot be tagged.")
            if not build.dry and (theirs := overwritten(build, reference, since)):
                return stays(build, theirs, may_move)
    finally:
        discard(build, reference)
    return True


def overwritten(build: "Build", reference: str, since: float) -> Image | None:
    """What somebody on another machine gave the tag to since then, before this run did; None if nobody."""
    ours = build.engine.image(passing(reference))
    ids = build.engine.tagged(reference, since)
    if not ours or ours.id not in ids:
        return None
    others = [one for one in ids[: len(ids) - ids[::-1].index(ours.id)] if one != ours.id]
    found = build.engine.image(others[-1]) if others else None
    return replace(found, reference=reference) if found else None


def stays(build: "Build", theirs: Image, may_move: Callable[[Image | None], bool]) -> bool:
    """Judge what the tag meant in the moment before it moved, and give it back where it should not have.

    Returns:
        Whether it stays with this run's image.
    """
    moved = False
    try:
        moved = may_move(theirs)
    finally:
        if not moved:
            build.do(commands.tag_image(theirs.id, theirs.reference), f"{theirs.reference} cannot be given back.")
    return moved


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
    files = Path("/proc/self/ns/mnt")  # another container may have this one's name, and the checkout's path
    seen = files.stat().st_ino if files.exists() else 0
    return for_the_time_being(reference, short_hash(f"{os.uname().nodename}:{seen}:{ROOT}"))


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@contextmanager
def one_tag_at_a_time(build: "Build") -> Iterator[None]:
    """Let no other checkout on this machine move a tag of the same engine meanwhile.

    Docker cannot move a tag only if it still names what it did. Other machines do not see this lock: see `overwritten`.
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
