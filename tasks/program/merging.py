"""Merging the levels of settings, where Invoke has no answer: sections without lines, dropped frames, mixed kinds."""

from collections.abc import Callable, Sequence
from typing import Any

from invoke import Config, Exit
from invoke.config import AmbiguousMergeError

from ..settings.root import ENVIRONMENT

FRAMES = ("stack", "frames")


def merge(config: Config, of_invoke: Callable[[], None]) -> None:
    """Merge the levels.

    Args:
        of_invoke: Invoke's own way to do it, without a sentence for a section in one file that is a value in another.

    Raises:
        Exit: with code 2 for such a section.
    """
    found, project = levels(config), config._project or {}
    for _, values in found:
        for below in (config._defaults, project):
            drop_empty(values, below)
    drop_frames([values for _, values in found])
    try:
        of_invoke()
    except AmbiguousMergeError:
        for own_place, values in found:
            for below, place in ((project, "invoke.yaml"), (config._defaults, "Invoke")):
                if name := conflict(below, values):
                    expected = f"expected `key: value` lines where {place} has them, and only there"
                    raise Exit(f"Setting {name} in {own_place}: {expected}.", code=2) from None
        raise Exit("In the settings files, a section of one is a value of another.", code=2) from None


def merge_alike() -> None:
    """Have pip's own `inv` merge as ours does. It loads the tasks, which call this, before a file given with -f."""
    of_invoke = Config.merge
    if not hasattr(of_invoke, "alike"):

        def alike(config: Config) -> None:
            merge(config, lambda: of_invoke(config))

        alike.alike = True  # type: ignore[attr-defined]
        Config.merge = alike  # type: ignore[method-assign, assignment]


def levels(config: Config) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Where Invoke read and what, those with the last word first. An empty file is None to Invoke."""
    return (
        (str(config._runtime_path), config._runtime or {}),
        (ENVIRONMENT, config._env),
        (str(config._project_path), config._project or {}),
        (str(config._user_path), config._user or {}),
        (str(config._system_path), config._system or {}),
    )


def drop_empty(settings: dict[str, Any], below: dict[str, Any], path: tuple[str, ...] = ()) -> None:
    """Take away each section without a line, as when all are commented out: it says nothing. `below` has it filled.

    Not a frame's: that says something (see `drop_frames`).
    """
    for key, value in [*settings.items()]:
        if isinstance(below.get(key), dict):
            if value is None and path != FRAMES:
                del settings[key]
            elif isinstance(value, dict):
                drop_empty(value, below[key], (*path, key))


def drop_frames(levels: Sequence[dict[str, Any]]) -> None:
    """Take away each frame that a level sets to nothing, there and in the levels below it, which come after it."""
    for number, level in enumerate(levels):
        below = levels[number + 1 :]
        for name in [name for name, value in frames(level).items() if value is None]:
            holding = [one for one in below if isinstance(frames(one).get(name), dict)]
            for one in (level, *below) if holding else ():
                frames(one).pop(name, None)


def frames(level: dict[str, Any]) -> dict[str, Any]:
    """The frames of one level, to be changed."""
    found: Any = level
    for key in FRAMES:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def conflict(one: Any, other: Any, section: str = "") -> str:
    """The first setting that has a section of its own in one file and a value in another; "" if there is none."""
    for key in one.keys() & other.keys():
        name, pair = f"{section}.{key}".lstrip("."), (one[key], other[key])
        if isinstance(pair[0], dict) and isinstance(pair[1], dict):
            if found := conflict(*pair, name):
                return found
        elif None not in pair and (isinstance(pair[0], dict) or isinstance(pair[1], dict)):
            return name
    return ""
