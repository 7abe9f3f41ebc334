"""What the builds of one run share: the release, and which steps were done already.

`inv base frame start` asks git once, and one build date is on everything that is built in the run.
"""

from typing import cast

from invoke import Context

from ..settings.this_run import kept, load_settings
from .release import Release, release


def this_release(c: Context) -> Release:
    """The release of the source, asked of git once a run."""
    if "stack_release" not in kept(c):
        settings = load_settings(c)
        kept(c)["stack_release"] = release(c, settings.path(settings.source), settings.series)
    return cast(Release, kept(c)["stack_release"])


def remember_done(c: Context, step: str) -> None:
    """Tell the tasks after this one that a step was done in this run, `vendor` or `base`."""
    kept(c)[f"stack_done_{step}"] = True


def done(c: Context, step: str) -> bool:
    """Whether a step was done in this run."""
    return bool(c.config.get(f"stack_done_{step}"))


def remember_base_pending(c: Context) -> None:
    """Tell the tasks after this one, under `--dry`, that `base` would have built another base."""
    kept(c)["stack_base_pending"] = True


def base_pending(c: Context) -> bool:
    """Whether the base that is here would be another one, had this run not been `--dry`."""
    return bool(c.config.get("stack_base_pending"))
