"""Building a version of a frame: what it stands on, whether there is a reason to, its labels, its tag."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from invoke import Exit
from msgspec import Struct
from msgspec.structs import replace

from ..engine import commands, label
from ..engine.client import Unreachable
from ..engine.commands import Recipe
from ..engine.records import Image
from ..host.saying import say
from ..host.text import printable
from ..settings.this_run import remember_built
from .below import Below, bring_others, find_base, refuse_moved
from .build import Build, make, one_at_a_time
from .context import build_context, tell_left_out
from .dockerfile import declared, dockerfile
from .former_bases import rests_on
from .ignored import tell_ignored
from .inputs import digest, frame_inputs, reason_for_frame
from .instructions import Standing, same, sets_label, standing
from .publishing import discard, publish
from .secrets import secrets_in
from .stamp import build_args, frame_labels, recommended, standing_labels
from .version import Version


class Plan(Struct, frozen=True):
    """A version, and what its Dockerfile says of it.

    `args` are those that it gets, `standing` the images that it names, `base` the base's reference. `brings_command`:
    whether it sets a recommended command itself.
    """

    version: Version
    file: Path
    args: Mapping[str, str]
    standing: Standing
    base: str
    brings_command: bool

    @property
    def needs_base(self) -> bool:
        return self.standing.names(self.base)

    @property
    def stands_on_base(self) -> bool:
        return self.standing.stands_on(self.base)


def plan(build: Build, version: Version) -> Plan:
    """What the Dockerfile of a version says.

    Raises:
        Exit: with code 2 when it is not there.
    """
    frame = version.frame
    file = dockerfile(build.settings.path(frame.dockerfile), f"stack.frames.{version.key}.dockerfile")
    args = {**declared(file, build_args(build.settings, version)), **frame.build_args}
    named = standing(file, args, frame.build_options)
    brings_command = sets_label(file, label.COMMAND, frame.build_options)
    return Plan(version, file, args, named, f"{build.settings.base.image}:latest", brings_command)


def bring_each(build: Build, plans: Sequence[Plan], force: bool) -> None:
    """Build each of these versions, unless it is built already. One that cannot be built is no reason for another.

    Raises:
        Exit: with code 1 when some of several could not be built, and as `bring_version` does for a single one.
    """
    lost: list[str] = []
    for one in plans:
        try:
            with one_at_a_time(build, one.version.frame.image):
                bring_version(build, one, force)
        except Unreachable:
            raise
        except Exit as error:
            if len(plans) == 1:
                raise
            say(f"{one.version.key}: {printable(error.message or 'it failed')}")
            lost.append(one.version.key)
        else:
            remember_built(build.c, one.version.key, one.version.tag)
    if lost:
        there = [one.version.key for one in plans if one.version.key not in lost]
        here = f" The others are built: {', '.join(there)}." if there and not build.dry else ""
        raise Exit(f"Not built: {', '.join(lost)}; the lines above say why.{here}", code=1)


def bring_version(build: Build, plan: Plan, force: bool) -> None:
    """Build a version of a frame, unless this very content is built already.

    Raises:
        Exit: with code 1 when it cannot be built, 2 when its tag names another commit.
    """
    version = plan.version
    base = find_base(build) if plan.needs_base else None
    inputs = frame_inputs(build.settings, version, plan.file, plan.args, built_on(build, plan, base))
    if not plan.brings_command:
        inputs["recommended command"] = digest(recommended(version))
    former = build.engine.image(version.reference)
    reason = reason_for_frame(former, version, inputs, force)
    if not reason:
        say(f"{version.reference} is already built from commit {version.release.commit}.")
        move_latest(build, version, former)
        return
    say(f"Building {version.reference}: {printable(reason)}.")
    tell_left_out(version)
    warn_of_secrets(plan)
    labels = labels_of(build, plan, base, inputs)
    with build_context(build, version) as folder:
        if not build.dry:
            tell_ignored(folder, plan.file, version.source)
        recipe = Recipe(version.reference, plan.file, folder, plan.args, labels, version.frame.build_options)
        made = make_true(build, plan, recipe, base)
    if not publish(build, version.reference, former, lambda now: bool(reason_for_frame(now, version, inputs, force))):
        say(f"{version.reference} was built from this commit by somebody else meanwhile; that one stays.")
        made = build.engine.image(version.reference)
    move_latest(build, version, made)


def labels_of(build: Build, plan: Plan, base: Below | None, inputs: Mapping[str, str]) -> dict[str, str]:
    """The labels that a version gets. An empty one only where it would inherit another's instead."""
    labels = frame_labels(build.settings, plan.version, base if plan.stands_on_base else None, inputs)
    if not plan.brings_command:
        labels[label.COMMAND] = recommended(plan.version)
    empty = [key for key, value in labels.items() if not value]
    root = build.engine.image(plan.standing.root) if empty and plan.standing.root else None
    inherited = root.labels if root else {}
    own = [key for key in empty if sets_label(plan.file, key, plan.version.frame.build_options)]
    left_out = {key for key in empty if key in own or not inherited.get(key)}
    return {key: value for key, value in labels.items() if key not in left_out}


def built_on(build: Build, plan: Plan, base: Below | None) -> dict[str, str]:
    """The images that a version is built on, as inputs: the base, its own parent, others by hash."""
    others = bring_others(build, plan.file, plan.standing, plan.base)
    found = {"base": base.id} if base else {}
    parent = next((image for image in others if same(image, plan.standing.root)), "")
    if parent and not plan.stands_on_base:
        found["parent"] = others.pop(parent)
    return found | ({"other images": digest(others)} if others else {})


def make_true(build: Build, plan: Plan, recipe: Recipe, base: Below | None) -> Image | None:
    """Build an image, and once more where it shows that it was stamped with what is not true. None under `--dry`.

    Raises:
        Exit: with code 1 when the build fails, or the base got another image meanwhile.
    """
    made = make(build, recipe)
    if made is None:
        return None
    try:
        labels = dict(recipe.labels)
        if base:
            refuse_moved(build, base)
            below = build.engine.image(base.id)
            if label.BASE in labels and below and not rests_on(made, below):
                say(f"{recipe.reference} does not stand on {plan.base}; building again without its labels.")
                labels = {key: value for key, value in labels.items() if key not in standing_labels(base)}
        if not made.labels.get(label.COMMAND):
            say(f"{plan.file} leaves the recommended command empty; building again with that of the settings.")
            labels[label.COMMAND] = recommended(plan.version)
        return made if labels == recipe.labels else make(build, replace(recipe, labels=labels))
    except BaseException:
        discard(build, recipe.reference)
        raise


def warn_of_secrets(plan: Plan) -> None:
    """Warn when the recommended command that is about to be published holds what looks like a secret."""
    if plan.brings_command and "COMMAND" not in plan.args:
        return
    if names := secrets_in(plan.version.frame.run_options):
        looks = "look like secrets" if names[1:] else "looks like a secret"
        say(
            f"Warning: {', '.join(names)} in run_options of stack.frames.{plan.version.key} {looks}, and whoever has "
            "the image can read that on its label. Put it into a file that start.env_files names, and use --env-file.",
        )


def move_latest(build: Build, version: Version, image: Image | None) -> None:
    """Move the tag `latest` of a frame that has one to this version; uncommitted changes are none to follow.

    Args:
        image: the version's; None where it is not there, under `--dry`.
    """
    if not version.frame.latest or version.release.dirty:
        return
    latest = f"{version.frame.image}:latest"
    found = build.engine.image(latest)
    if not (found and image and found.id == image.id):
        build.do(commands.tag_image(version.reference, latest), f"{latest} cannot be tagged.")
