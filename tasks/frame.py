"""The task `frame`: the third layer."""

from invoke import Context

from . import base
from .building.below import find_base
from .building.build import Build, build_image, one_at_a_time
from .building.context import build_context, tell_left_out
from .building.dockerfile import declared, dockerfile
from .building.inputs import frame_inputs, reason_for_frame
from .building.stamp import build_args, frame_labels
from .building.version import Version, wanted
from .engine.commands import Recipe
from .program.task import task
from .settings.this_run import remember_built


@task(
    help={
        "name": "Which frame, a key under stack.frames; needed only when there are several.",
        "force": "Build even if this content is built already, or the tag names another commit.",
        "dirty": "Build uncommitted changes too, under a tag that says so (0.2.7-dirty-…).",
        "suffix": "Add -SUFFIX to the tag, for a branch whose number of commits another branch has too.",
    }
)
def frame(c: Context, name: str = "", force: bool = False, dirty: bool = False, suffix: str = "") -> None:
    """Build the third layer from the current commit, and stamp it.

    The base below it is brought first, as by `inv base`. The image holds the files that git tracks at HEAD, submodules
    included, and nothing else that lies about.
    """
    build = Build.of(c)
    version = wanted(build, name, dirty, suffix)  # what must not be built is refused before the base is brought
    base.base(c)
    with one_at_a_time(build, version.frame.image):
        bring_version(build, version, force)
    remember_built(c, version.key, version.tag)


def bring_version(build: Build, version: Version, force: bool) -> None:
    """Build a version of a frame, unless this very content is built already."""
    settings, chosen = build.settings, version.frame
    file = dockerfile(settings.path(chosen.dockerfile), f"stack.frames.{version.key}.dockerfile")
    args = {**declared(file, build_args(settings, version)), **chosen.build_args}
    below = find_base(build)
    inputs = frame_inputs(settings, version, file, args, below.id)
    reason = reason_for_frame(build.engine.image(version.reference), version, inputs, force)
    if not reason:
        print(f"{version.reference} is already built from commit {version.release.commit}.")
        return
    print(f"Building {version.reference}: {reason}.", flush=True)
    tell_left_out(build, version.release)
    labels = frame_labels(settings, version, below, inputs)
    with build_context(build, version) as folder:
        build_image(build, Recipe(version.reference, file, folder, args, labels, chosen.build_options))
