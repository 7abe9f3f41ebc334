"""A frame's build context: the files of its release, and nothing else that lies about in the source."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from invoke import Exit

from .build import Build, build_folder
from .contents import contents, scratch
from .release import Release
from .version import Version


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
    source, release = build.settings.source, version.release
    shutil.rmtree(target, ignore_errors=True)  # a killed build may have left one
    try:
        with scratch() as folder:
            revision = "" if release.dirty else release.revision
            found = contents(build.c, build.settings.path(source), revision, folder, target)
        if found.hash != release.tree:
            raise Exit(f"{source} changed while it was read. Type the same again.", code=1)
        yield target
    finally:
        shutil.rmtree(target, ignore_errors=True)


def tell_left_out(build: Build, release: Release) -> None:
    """Say what is not in the frame: somebody may have forgotten `git add`."""
    counts = ((release.untracked, "untracked"), (release.ignored, "ignored"))
    if found := " and ".join(f"{count} {kind}" for count, kind in counts if count):
        several = "s" * (release.untracked + release.ignored > 1)
        print(f"Not in the image: {found} file{several} or folder{several} in {build.settings.source}.", flush=True)
