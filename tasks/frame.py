"""The task `frame`: the third layer."""

from invoke import Context

from . import base
from .program import flags
from .program.task import task


@task(
    help={
        "name": flags.NAME,
        "all": "Build every frame of the settings; where one fails, the others are built.",
        "force": "Build even if this content is built already, or the tag names another commit.",
        "dirty": "Build uncommitted changes too, under a tag that says so (0.2.7-dirty-…).",
        "suffix": "Add -SUFFIX to the tag, for a branch whose number of commits another branch has too.",
    }
)
def frame(
    c: Context, name: str = "", force: bool = False, dirty: bool = False, suffix: str = "", all: bool = False
) -> None:
    """Build the third layer from the current commit, and stamp it.

    The base below it is brought first, as by `inv base`. The image holds the
    files that git tracks at HEAD, submodules included, and nothing else that lies
    about.
    """
    from .building.build import Build
    from .building.frames import bring_each, plan
    from .building.version import Flags, wanted

    build = Build.of(c)
    plans = [
        plan(build, version) for version in wanted(build, Flags(name, all, dirty, suffix))
    ]  # what must not be built is refused first
    if any(one.needs_base for one in plans):
        base.base(c)
    else:
        base.tell_unfinished_switches(build)
    bring_each(build, plans, force)
