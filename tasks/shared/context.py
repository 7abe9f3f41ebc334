"""The shared context object: settings and release, the same for every task of a run."""

from invoke import Context
from msgspec import Struct

from . import git, settings
from .settings import Settings


class Stack(Struct, frozen=True):
    """Settings and release. Frozen, because Invoke copies what is kept in its config at every merge."""

    settings: Settings
    release: git.Release


class Built(Struct, frozen=True):
    """What `frame` built, or found built, in this run: `start` starts it without asking. `name` is the frame's key."""

    name: str
    tag: str


def load_settings(c: Context) -> Settings:
    """The settings alone, for tasks that need no git."""
    if "stack_settings" not in c.config:
        c.config["stack_settings"] = settings.load(c)
    found: Settings = c.config["stack_settings"]
    return found


def stack(c: Context) -> Stack:
    """Settings and release, asked of git once a run: one build date is on everything built in it."""
    if "stack_context" not in c.config:
        chosen = load_settings(c)
        c.config["stack_context"] = Stack(chosen, git.release(c, chosen.path(chosen.source), chosen.series))
    found: Stack = c.config["stack_context"]
    return found


def remember_built(c: Context, name: str, tag: str) -> None:
    """Tell the tasks after this one which version of which frame `frame` brought."""
    c.config["stack_built"] = (*c.config.get("stack_built", ()), Built(name, tag))


def built(c: Context, name: str = "") -> Built | None:
    """What `frame` brought in this run: of this frame, or the last of any; None if it did not run."""
    found = [made for made in c.config.get("stack_built", ()) if not name or made.name == name]
    return found[-1] if found else None
