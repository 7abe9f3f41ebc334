"""What the builds of one run share: the releases, and which steps were done already.

`inv base frame start` asks git once, and one build date is on everything that is built in the run.
"""

from pathlib import Path

from invoke import Context
from msgspec import Struct
from msgspec.structs import replace

from ..settings.this_run import kept
from .release import Release, release


class Asked(Struct, frozen=True):
    """A source of which git was asked in this run, and its release."""

    source: Path
    series: str
    release: Release


def this_release(c: Context, source: Path, series: str, setting: str) -> Release:
    """The release of a source, which `setting` names; asked of git once a run."""
    known: tuple[Asked, ...] = c.config.get("stack_releases", ())
    for one in known:
        if (one.source, one.series) == (source, series):
            return one.release
    found = release(c, source, series, setting)
    if known:
        found = replace(found, date=known[0].release.date)
    kept(c)["stack_releases"] = (*known, Asked(source, series, found))
    return found


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
