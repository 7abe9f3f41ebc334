"""Building the base, when there is a reason to."""

from ..engine.commands import Recipe
from ..host.saying import say
from ..settings.model import ROOT
from ..vendoring.pins import describe, read_pins
from .below import bring_others, bring_parent
from .build import Build, build_image
from .dockerfile import declared, dockerfile
from .former_bases import remove_former_bases
from .ingredients import base_context, ingredients, release_for_base
from .inputs import base_inputs, reason_for_base
from .instructions import standing
from .stamp import base_args, base_labels
from .this_run import remember_base_pending


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
        say(f"{reference} is up to date.")
        return
    say(f"Building {reference}: {reason}.")
    labels = base_labels(settings, parent, held.libraries, inputs)
    options = (*chosen.build_options, *(["--no-cache"] if force else []))
    with base_context(build, file, release) as folder:
        build_image(build, Recipe(reference, file, folder, args, labels, options))
    if build.dry:
        remember_base_pending(build.c)
    remove_former_bases(build, former)
