"""What the tasks of one run share: its settings, what was built in it, and how to spell the next command.

Invoke copies what is kept in its config at every merge, so it is frozen.
"""

import os
import shlex
from collections.abc import Sequence
from typing import Any, cast

from invoke import Context
from msgspec import Struct

from .load import load
from .model import Frame, Settings
from .sources import sources

VARIABLES = {"--context": "DOCKER_CONTEXT", "--host": "DOCKER_HOST"}
ONE_VERSION = {"--tag", "--latest"}  # only one of these says which version is meant


class Built(Struct, frozen=True):
    """What `frame` built, or found built, in this run: `start` starts it without asking. `name` is the frame's key."""

    name: str
    tag: str


def kept(c: Context) -> Any:
    """What is kept for the whole run; Invoke's own type of it is for its settings."""
    return c.config


def remember_built(c: Context, name: str, tag: str) -> None:
    """Tell the tasks after this one which version of which frame `frame` brought."""
    kept(c)["stack_built"] = (*c.config.get("stack_built", ()), Built(name, tag))


def built(c: Context, name: str = "") -> Built | None:
    """What `frame` brought in this run, of this frame or of the only one; None if it brought none, or several."""
    found = [made for made in c.config.get("stack_built", ()) if not name or made.name == name]
    return found[-1] if len({made.name for made in found}) == 1 else None


def load_settings(c: Context) -> Settings:
    """The settings alone, for tasks that need no git."""
    if "stack_settings" not in kept(c):
        kept(c)["stack_settings"] = load(c)
    return cast(Settings, kept(c)["stack_settings"])


def remember_typed(c: Context, task: str, flags: Sequence[tuple[str, ...]]) -> None:
    """Tell `next_command` which task runs now, and with which flags, each as the words that one types."""
    kept(c)["stack_typed"] = (task, tuple(flags))


def typed(c: Context, task: str, words: Sequence[str]) -> list[str]:
    """The flags that were typed for this task and that can stand beside these words and the frame's name."""
    running, flags = c.config.get("stack_typed", ("", ()))
    if running.replace("_", "-") != task:
        return []
    out = {"--name", "--all", *words, *(ONE_VERSION if ONE_VERSION & {*words} else ())}
    return [word for spelled in flags if spelled[0] not in out for word in spelled]


def next_command(
    c: Context, frame: Frame, task: str, *words: str, again: bool = True, where: Sequence[str] = ()
) -> str:
    """A command to type next, spelled so that it means the same frame, settings file and docker context as this run.

    Args:
        again: whether, if it is the very task that runs, the other flags that were typed are in it too.
        where: what tells docker of another engine than this run's, as `--context gpu1`.
    """
    settings = load_settings(c)
    file = ["-f", named] if (named := sources(c).file) else []
    several = len(settings.frames) > 1
    name = [word for key, one in settings.frames.items() if several and one == frame for word in ("--name", key)]
    here = () if os.environ.get("DOCKER_HOST") else ("--context", os.environ.get("DOCKER_CONTEXT", ""))
    variable, value = where or here or ("", "")
    engine = f"{VARIABLES[variable]}={shlex.quote(value)} " if value else ""
    return engine + shlex.join(["inv", *file, task, *name, *(typed(c, task, words) if again else ()), *words])
