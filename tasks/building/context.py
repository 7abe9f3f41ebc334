"""A frame's build context: the files of its release, and nothing else that lies about in the source."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from invoke import Exit

from ..host.saying import say
from ..host.text import printable
from .build import Build, build_folder
from .contents import contents, scratch
from .export import refuse_pointers
from .version import Version

NAMED = 3  # files that nobody added, at most, in one sentence


@contextmanager
def build_context(build: Build, version: Version) -> Iterator[Path]:
    """A folder with the release's files while the build needs it; the caller lets one build run at a time.

    Raises:
        Exit: with code 1 when the source is no longer what the release says.
    """
    target = build_folder(version.frame.image)
    if build.dry:
        yield target
        return
    source, release = version.source, version.release
    shutil.rmtree(target, ignore_errors=True)  # a killed build may have left one
    try:
        with scratch() as folder:
            revision = "" if release.dirty else release.revision
            found = contents(build.c, source, revision, folder, target)
        if found.hash != release.tree:
            raise Exit(f"{source} changed while it was read. Type the same again.", code=1)
        refuse_pointers(target, source)
        yield target
    finally:
        shutil.rmtree(target, ignore_errors=True)


def tell_left_out(version: Version) -> None:
    """Say what is not in the frame: somebody may have forgotten `git add`."""
    release = version.release
    kinds = ((release.untracked, "untracked"), (release.ignored, "ignored"))
    if found := " and ".join(f"{len(paths)} {kind}" for paths, kind in kinds if paths):
        paths = [*release.untracked, *release.ignored]
        several = "s" * (len(paths) > 1)
        named = ", ".join([*map(printable, paths[:NAMED]), *(["…"] if paths[NAMED:] else [])])
        say(f"Not in the image: {found} file{several} or folder{several} in {version.source} ({named}).")
    for path in release.left_out:
        why = "which git does not check out: .gitmodules does not name it, or says update = none"
        say(f"Not in the image: the repository {printable(path)} in {version.source}, {why}.")
