"""The shared context object: settings and release, the same for every task of a run."""

from typing import cast

from invoke import Context
from msgspec import Struct

from ..settings.model import Settings
from ..settings.this_run import kept, load_settings
from . import git


class Stack(Struct, frozen=True):
    """Settings and release. Frozen, because Invoke copies what is kept in its config at every merge."""

    settings: Settings
    release: git.Release


def stack(c: Context) -> Stack:
    """Settings and release, asked of git once a run: one build date is on everything built in it."""
    if "stack_context" not in kept(c):
        chosen = load_settings(c)
        kept(c)["stack_context"] = Stack(chosen, git.release(c, chosen.path(chosen.source), chosen.series))
    return cast(Stack, kept(c)["stack_context"])


def remember_base(c: Context) -> None:
    """Tell the tasks after this one, under `--dry`, that `base` would have built another base."""
    kept(c)["stack_base_pending"] = True


def base_pending(c: Context) -> bool:
    """Whether the base that is here would be another one, had this run not been `--dry`."""
    return bool(c.config.get("stack_base_pending"))
