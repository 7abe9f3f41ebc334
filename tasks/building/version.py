"""A version of a frame that is to be built: from which release, under which tag, and whether that may be."""

from invoke import Exit
from msgspec import Struct

from ..engine.names import valid_tag
from ..settings.model import Frame
from .build import Build
from .release import Release
from .this_run import this_release


class Version(Struct, frozen=True):
    """A version of a frame. `key` is the frame's name in the settings."""

    key: str
    frame: Frame
    release: Release
    tag: str

    @property
    def reference(self) -> str:
        return f"{self.frame.image}:{self.tag}"


def wanted(build: Build, name: str, dirty: bool, suffix: str) -> Version:
    """The version that the flags of `frame` ask for.

    Raises:
        Exit: with code 1 when the source cannot be built from, 2 when it must not be, or the tag could be none.
    """
    release = this_release(build.c)
    frame = build.settings.frame(name)
    tag = release.tag
    if release.dirty and not dirty:
        raise Exit(
            f"{build.settings.source} has uncommitted changes. Commit them, or build them under a tag of their own: "
            + build.next_command(frame, "frame", "--dirty"),
            code=2,
        )
    if release.dirty:
        tag += f"-dirty-{release.tree[:12]}"
    if suffix:
        tag += f"-{suffix}"
    if not valid_tag(tag):
        raise Exit(f"{tag} cannot be a tag: use letters, digits, dots, dashes and underscores, 128 at most.", code=2)
    return Version(name or next(iter(build.settings.frames)), frame, release, tag)
