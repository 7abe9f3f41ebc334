"""A version of a frame that is to be built: from which release, under which tag, and whether that may be."""

import shlex
from pathlib import Path

from invoke import Exit
from msgspec import Struct

from ..engine.names import valid_tag
from ..settings.model import Frame
from ..settings.this_run import built
from .build import Build
from .release import Release, replaced
from .this_run import this_release


class Version(Struct, frozen=True):
    """A version of a frame. `key` is the frame's name in the settings, `source` the checkout that it is built from."""

    key: str
    frame: Frame
    source: Path
    release: Release
    tag: str

    @property
    def reference(self) -> str:
        return f"{self.frame.image}:{self.tag}"


class Flags(Struct, frozen=True):
    """Which version was asked for, by the flags of `frame`: see its help."""

    name: str = ""
    every: bool = False
    dirty: bool = False
    suffix: str = ""


def wanted(build: Build, flags: Flags) -> list[Version]:
    """The versions that the flags of `frame` ask for: one, or with --all one of each frame.

    Raises:
        Exit: with code 1 when a source cannot be built from, 2 when it must not be, or a tag could be none.
    """
    frames = build.settings.frames
    if flags.every and flags.name:
        raise Exit("Type either --name NAME or --all.", code=2)
    if flags.every:
        return [version_of(build, key, flags) for key in frames]
    build.settings.frame(flags.name)
    return [version_of(build, flags.name or next(iter(frames)), flags)]


def version_of(build: Build, key: str, flags: Flags) -> Version:
    """The version of one frame.

    Raises:
        Exit: as `wanted`.
    """
    settings, frame = build.settings, build.settings.frames[key]
    source = settings.path(frame.source or settings.source)
    setting = f"stack.frames.{key}.source" if frame.source else "stack.source"
    release = this_release(build.c, source, frame.series or settings.series, setting)
    if release.dirty and not flags.dirty:
        raise Exit(uncommitted(build, frame, source, release), code=2)
    tag = release.tag
    if release.dirty:
        tag += f"-dirty-{release.tree[:12]}"
    if flags.suffix:
        tag += f"-{flags.suffix}"
    if not valid_tag(tag):
        raise Exit(f"{tag} cannot be a tag: use letters, digits, dots, dashes and underscores, 128 at most.", code=2)
    return Version(key, frame, source, release, tag)


def present(build: Build, name: str) -> str:
    """The tag of the version that was built in this run, else of that of the source's HEAD, built or not.

    Raises:
        Exit: with code 1 when the source has no release, 2 for a wrong name.
    """
    settings, frame = build.settings, build.settings.frame(name)
    if made := built(build.c, name):
        return made.tag
    key = next(key for key, one in settings.frames.items() if one == frame)
    source = settings.path(frame.source or settings.source)
    setting = f"stack.frames.{key}.source" if frame.source else "stack.source"
    return this_release(build.c, source, frame.series or settings.series, setting).tag


def uncommitted(build: Build, frame: Frame, source: Path, release: Release) -> str:
    """The sentence about a source whose files are not those of its commit."""
    if ids := replaced(build.c, source):
        way = shlex.join(["git", "-C", str(source), "replace", "--delete", *ids])
        what = f"The files in {source} are not those of commit {release.commit}"
        return f"{what}: git replace put others in their place, which is not followed. Type: {way}"
    return (
        f"{source} has uncommitted changes. Commit them, or build them under a tag of their own: "
        + build.next_command(frame, "frame", "--dirty")
    )
