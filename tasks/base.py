"""The task `base`: the second layer."""

from typing import TYPE_CHECKING

from invoke import Context

from . import fetch_vendor
from .host.saying import say
from .program.task import task

if TYPE_CHECKING:
    from .building.build import Build


@task(help={"force": "Build it anew, and take no step from docker's cache."})
def base(c: Context, force: bool = False) -> None:
    """Build the second layer, if missing or its inputs changed.

    Its inputs are the Dockerfile, the pins in vendor/vendor.yaml, the parent
    image and the build options. What the pins name is fetched first, as by `inv
    fetch-vendor`.
    """
    from .building.bases import bring_base
    from .building.build import Build, one_at_a_time
    from .building.this_run import done, remember_done

    if done(c, "base") and not force:
        return
    if not done(c, "vendor"):
        fetch_vendor.fetch_vendor(c)
    build = Build.of(c)
    tell_unfinished_switches(build)
    with one_at_a_time(build, build.settings.base.image):
        bring_base(build, force)
    remember_done(c, "base")


def tell_unfinished_switches(build: "Build") -> None:
    """Say which services are in the middle of a switch. A build touches none of them."""
    from .service.service import Service
    from .service.situation import notice

    for frame in build.settings.frames.values():
        if unfinished := notice(Service(build.c, build.engine, build.settings, frame)):
            say(unfinished)
