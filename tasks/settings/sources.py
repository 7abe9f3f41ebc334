"""Where the settings of this run come from, as `program/` read it out of Invoke."""

from typing import Any

from invoke import Context
from msgspec import Struct


class Level(Struct, frozen=True):
    """One of the levels that Invoke merges: `place` is a file's path or ENVIRONMENT, `values` what was read there."""

    place: str
    values: dict[str, Any]


class Sources(Struct, frozen=True):
    """The levels, those with the last word first, and the file named with -f, "" without one.

    Frozen, and so one leaf for Invoke, which copies every dictionary in its config at every merge.
    """

    levels: tuple[Level, ...] = ()
    file: str = ""


def remember_sources(c: Context, found: Sources) -> None:
    """Keep where the settings came from, for the whole run."""
    config: Any = c.config
    config["stack_sources"] = found


def sources(c: Context) -> Sources:
    """Where the settings of this run came from."""
    found: Sources = c.config.get("stack_sources", Sources())
    return found
