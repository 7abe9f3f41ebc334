"""The task `frame`: the third layer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from invoke import Context, Exit

from . import base
from .building import build as building
from .building import git, stamp
from .building.this_run import Stack, base_pending, stack
from .engine import engine, label
from .engine.engine import Engine, Image
from .engine.names import valid_tag
from .program.task import task
from .settings.model import Frame
from .settings.this_run import next_command, remember_built


@task(
    pre=[base.base],
    help={
        "name": "Which frame, a key under stack.frames; needed only when there are several.",
        "force": "Build even if this content is built already, or the tag names another commit.",
        "dirty": "Build uncommitted changes too, under a tag that says so (0.2.7-dirty-…).",
        "suffix": "Add -SUFFIX to the tag, for a branch whose number of commits another branch has too.",
    },
)
def frame(c: Context, name: str = "", force: bool = False, dirty: bool = False, suffix: str = "") -> None:
    """Build the third layer from the current commit, and stamp it.

    The image holds the files that git tracks at HEAD, submodules included, and nothing else that lies about.
    """
    shared, chosen, tag = asked_for(c, name, dirty, suffix)
    key = name or next(iter(shared.settings.frames))
    reference = f"{chosen.image}:{tag}"
    docker = engine.engine()
    with building.one_at_a_time(c, chosen.image):
        dockerfile = building.dockerfile(shared.settings.path(chosen.dockerfile), f"stack.frames.{key}.dockerfile")
        ours = stamp.build_args(shared.settings, chosen, shared.release, tag)
        args = {**building.declared(dockerfile, ours), **chosen.build_args}
        under = describe_base(c, docker, shared)
        inputs = stamp.frame_inputs(shared.settings, chosen, shared.release, dockerfile, args, under["id"])
        reason = why(docker.image(reference), shared, inputs, force)
        if reason:
            print(f"Building {reference}: {reason}.", flush=True)
            tell_untracked(shared)
            labels = stamp.frame_labels(shared.settings, chosen, shared.release, tag, under, inputs)
            with exported(c, shared, chosen) as context:
                building.build(c, docker, reference, dockerfile, context, args, labels, chosen.build_options)
        else:
            print(f"{reference} is already built from commit {shared.release.commit}.")
    remember_built(c, key, tag)


def asked_for(c: Context, name: str, dirty: bool, suffix: str, **others: bool) -> tuple[Stack, Frame, str]:
    """The shared context, the chosen frame, and the tag that it is built under.

    Args:
        others: those of the task's arguments that do not matter here.

    Raises:
        Exit: when there is nothing to build, or it must not be built so.
    """
    shared = stack(c)
    chosen = shared.settings.frame(name)
    return shared, chosen, version_tag(c, shared, chosen, dirty, suffix)


frame.refuse_early = asked_for  # before the base is built for nothing; see `look_ahead` in invoking.py


def version_tag(c: Context, shared: Stack, chosen: Frame, dirty: bool, suffix: str) -> str:
    """The tag of this build.

    Raises:
        Exit: with code 2 for uncommitted changes without --dirty, or a tag that Docker would not accept.
    """
    release = shared.release
    tag = release.tag
    if release.dirty and not dirty:
        raise Exit(
            f"{shared.settings.source} has uncommitted changes. Commit them, or build them under a tag of their own: "
            + next_command(c, chosen, "frame", "--dirty"),
            code=2,
        )
    if release.dirty:
        tag += f"-dirty-{release.tree[:12]}"
    if suffix:
        tag += f"-{suffix}"
    if not valid_tag(tag):
        raise Exit(f"{tag} cannot be a tag: use letters, digits, dots, dashes and underscores, 128 at most.", code=2)
    return tag


def describe_base(c: Context, docker: Engine, shared: Stack) -> dict[str, str]:
    """Name, id, digest and vendored pins of the base.

    Raises:
        Exit: with code 1 when there is none.
    """
    reference = f"{shared.settings.base.image}:latest"
    details = {} if base_pending(c) else docker.image_details(reference)
    if not details and not c.config.run.dry:  # under --dry, `base` has only said that it would build it
        raise Exit(f"There is no base image {reference}. Type: inv base", code=1)
    labels = details.get("Config", {}).get("Labels") or {}
    image = details.get("Id", "unknown")
    digests = details.get("RepoDigests") or [image]
    pins = labels.get(label.VENDOR, "{}")
    return {"name": reference, "id": image, "digest": digests[0].rpartition("@")[2], "vendor": pins}


def why(former: Image | None, shared: Stack, inputs: dict[str, str], force: bool) -> str:
    """The reason to build, in words; "" when this very content is built already.

    Raises:
        Exit: with code 2 when the tag names another commit.
    """
    if former is None:
        return f"commit {shared.release.commit} of {shared.release.branch}"
    theirs = label.commit_of(former.labels)
    if not (theirs and shared.release.revision.startswith(theirs)) and not force:
        raise Exit(
            f"{former.reference} already names commit {theirs[:7] or 'unknown'}, and this is "
            f"{shared.release.commit} of {shared.release.branch}. "
            "Type --suffix NAME for a tag of its own, or --force to replace it.",
            code=2,
        )
    if differing := stamp.changed(former.labels, inputs):
        return f"changed since the last build: {', '.join(differing)}; the tag moves to the new image"
    return "--force was given" if force else ""


def tell_untracked(shared: Stack) -> None:
    """Say what is not in the frame: somebody may have forgotten `git add`."""
    counts = ((shared.release.untracked, "untracked"), (shared.release.ignored, "ignored"))
    if found := " and ".join(f"{count} {kind}" for count, kind in counts if count):
        several = "s" * (shared.release.untracked + shared.release.ignored > 1)
        print(f"Not in the image: {found} file{several} or folder{several} in {shared.settings.source}.", flush=True)


@contextmanager
def exported(c: Context, shared: Stack, chosen: Frame) -> Iterator[Path]:
    """A folder with the release's files while the build needs it; the caller lets one build run at a time."""
    target = building.place(chosen.image)
    if c.config.run.dry:
        yield target
        return
    import shutil

    shutil.rmtree(target, ignore_errors=True)  # a killed build may have left one
    try:
        source = shared.settings.path(shared.settings.source)
        with git.scratch() as folder:
            revision = "" if shared.release.dirty else shared.release.revision
            tree, _ = git.contents(c, source, revision, folder, target)
        if tree != shared.release.tree:
            raise Exit(f"{shared.settings.source} changed while it was read. Type the same again.", code=1)
        yield target
    finally:
        shutil.rmtree(target, ignore_errors=True)
