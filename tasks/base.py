"""The task `base`: the second layer."""

from invoke import Context

from . import fetch_vendor
from .building.below import bring_others, bring_parent
from .building.build import Build, build_image, one_at_a_time
from .building.dockerfile import declared, dockerfile
from .building.former_bases import remove_former_bases
from .building.ingredients import base_context, ingredients, release_for_base
from .building.inputs import base_inputs, reason_for_base
from .building.instructions import standing
from .building.stamp import base_args, base_labels
from .building.this_run import done, remember_base_pending, remember_done
from .engine.commands import Recipe
from .program.task import task
from .service.service import Service
from .service.situation import notice
from .settings.model import ROOT
from .vendoring.pins import describe, read_pins


@task(help={"force": "Build it anew, and take no step from docker's cache."})
def base(c: Context, force: bool = False) -> None:
    """Build the second layer, if missing or its inputs changed.

    Its inputs are the Dockerfile, the pins in vendor/vendor.yaml, the parent image and the build options. What the pins
    name is fetched first, as by `inv fetch-vendor`.
    """
    if done(c, "base") and not force:
        return
    if not done(c, "vendor"):
        fetch_vendor.fetch_vendor(c)
    build = Build.of(c)
    tell_unfinished_switches(build)
    with one_at_a_time(build, build.settings.base.image):
        bring_base(build, force)
    remember_done(c, "base")


def tell_unfinished_switches(build: Build) -> None:
    """Say which services are in the middle of a switch. A build touches none of them."""
    for frame in build.settings.frames.values():
        if unfinished := notice(Service(build.c, build.engine, build.settings, frame)):
            print(unfinished, flush=True)


def bring_base(build: Build, force: bool) -> None:
    """Build the base if there is a reason to, and remove the one that it replaces."""
    settings, chosen = build.settings, build.settings.base
    reference = f"{chosen.image}:latest"
    file = dockerfile(settings.path(chosen.dockerfile), "stack.base.dockerfile")
    release = release_for_base(build, file)
    held = ingredients(build, file, describe(read_pins(ROOT / "vendor/vendor.yaml")), release)
    args = {**declared(file, base_args(settings, release)), **chosen.build_args}
    named = standing(file, args, chosen.build_options)
    parent = bring_parent(build, file, named)
    parents = {parent.reference: parent.id, **bring_others(build, file, named, parent.reference)}
    inputs = base_inputs(settings, file, held, parents, args)
    former = build.engine.image(reference)
    reason = reason_for_base(former, inputs, force)
    if not reason:
        print(f"{reference} is up to date.")
        return
    print(f"Building {reference}: {reason}.", flush=True)
    labels = base_labels(settings, parent, held.libraries, inputs)
    options = (*chosen.build_options, *(["--no-cache"] if force else []))
    with base_context(build, file, release) as folder:
        build_image(build, Recipe(reference, file, folder, args, labels, options))
    if build.dry:
        remember_base_pending(build.c)
    remove_former_bases(build, former)
