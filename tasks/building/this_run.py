"""The shared context object: settings and release, the same for every task of a run."""

import shlex
from typing import Any, cast

from invoke import Context
from msgspec import Struct

from ..settings import model as settings
from ..settings.model import Frame, Settings
from . import git


class Stack(Struct, frozen=True):
    """Settings and release. Frozen, because Invoke copies what is kept in its config at every merge."""

    settings: Settings
    release: git.Release


class Built(Struct, frozen=True):
    """What `frame` built, or found built, in this run: `start` starts it without asking. `name` is the frame's key."""

    name: str
    tag: str


def kept(c: Context) -> Any:
    """What is kept for the whole run; Invoke's own type of it is for its settings."""
    return c.config


def load_settings(c: Context) -> Settings:
    """The settings alone, for tasks that need no git."""
    if "stack_settings" not in kept(c):
        kept(c)["stack_settings"] = settings.load(c)
    return cast(Settings, kept(c)["stack_settings"])


def again(c: Context, frame: Frame, task: str, *words: str) -> str:
    """A command to type next, spelled so that it means the same frame and the same settings file as this run."""
    settings = load_settings(c)
    file = ["-f", str(c.config._runtime_path)] if c.config._runtime_path else []
    several = len(settings.frames) > 1
    name = [word for key, one in settings.frames.items() if several and one == frame for word in ("--name", key)]
    return shlex.join(["inv", *file, task, *name, *words])


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


def remember_built(c: Context, name: str, tag: str) -> None:
    """Tell the tasks after this one which version of which frame `frame` brought."""
    kept(c)["stack_built"] = (*c.config.get("stack_built", ()), Built(name, tag))


def built(c: Context, name: str = "") -> Built | None:
    """What `frame` brought in this run: of this frame, or the last of any; None if it did not run."""
    found = [made for made in c.config.get("stack_built", ()) if not name or made.name == name]
    return found[-1] if found else None
