"""What is said when a setting is wrong: which one, in which file, and what was expected."""

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

from invoke import Context
from msgspec import Struct, ValidationError, convert

from ..engine.names import CONTAINER, REFERENCE, REPOSITORY
from .model import FOLDER, SERIES, Base, Frame, Settings, Start

MISSING = object()

# What msgspec calls by regular expressions and bounds, in words.
EXPECTED = {
    f"`str` matching regex {REPOSITORY!r}": "an image's name in small letters and without a tag, such as colorai/base",
    f"`str` matching regex {REFERENCE!r}": "an image's name, such as ufoym/deepo:pytorch-py36-cu90",
    f"`str` matching regex {CONTAINER!r}": "a name of letters, digits, dots, dashes and underscores, at least two",
    f"`str` matching regex {SERIES!r}": 'letters, digits, dots, dashes and underscores, such as "0.2"',
    f"`str` matching regex {FOLDER!r}": "a folder's whole path, such as /data, without a colon",
    "`str` of length <= 40": "40 characters at most",
    "`int` >= 1": "a port, from 1 to 65535",
    "`int` <= 65535": "a port, from 1 to 65535",
    "`int` >= 0": "0 or a greater whole number",
    "`float` > 0.0": "more than 0 seconds",
    "`float` <= 86400.0": "at most a day, 86400 seconds",
    "`object` of length >= 1": "at least one frame",
    "`str`": "text",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`array`": "a list, such as [a, b]",
    "`object`": "`key: value` lines",
}


def meant(name: str, known: Collection[str]) -> str:
    """A question about the name that was probably meant; "" when none is near."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    return f"Did you mean {near[0]}?" if near else ""


def complaint(c: Context, raw: dict[str, Any], said: str) -> str:
    """What msgspec says of wrong settings, for people: which setting, in which file, and what was expected.

    Args:
        said: msgspec's message, such as "Expected `int`, got `str` - at `$.frames[...].port`".
    """
    what, _, where = said.partition(" - at ")
    steps, value = follow(raw, where.rpartition("$")[2].rstrip("`"))
    if field := re.search("unknown field `(.*)`", what):
        section = ".".join(["stack", *steps])
        hint = meant(field[1], known_keys(steps)) or f"There are: {', '.join(known_keys(steps))}."
        return f"There is no setting {section}.{field[1]}, which stands in {origin(c, [*steps, field[1]])}. {hint}"
    if field := re.search("required field `(.*)`", what):
        return f"Setting {'.'.join(['stack', *steps, field[1]])} is missing in {origin(c, steps)}."
    name = ".".join(["stack", *steps])
    expected = what.removeprefix("Expected ").partition(", got ")[0]
    hint = ""
    if expected == "`str`" and not isinstance(value, dict | list | None):
        hint = f' Write it in quotes: "{shown(value)}"'
    expected = EXPECTED.get(expected, expected)
    return f"Setting {name} in {origin(c, steps)}: expected {expected}, found {shown(value)}.{hint}"


def follow(raw: Any, path: str) -> tuple[list[str], Any]:
    """Where msgspec's path leads: its steps, and what is there. `[...]` is some key: the first that is wrong."""
    steps: list[str] = []
    for name, number in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", path):
        if number.isdigit():
            steps[-1] += f"[{number}]"
            raw = raw[int(number)]
            continue
        kind = Frame if steps == ["frames"] else str
        key = name or next(key for key, value in raw.items() if wrong(value, kind))
        steps.append(str(key))
        raw = raw[key]
    return steps, raw


def wrong(value: Any, kind: type) -> bool:
    try:
        convert(value, kind)
    except ValidationError:
        return True
    return False


def known_keys(steps: Sequence[str]) -> tuple[str, ...]:
    """The settings that a section may have."""
    sections: dict[str, type[Struct]] = {"base": Base, "frames": Frame, "start": Start}
    return (sections[steps[0]] if steps else Settings).__struct_fields__


def shown(value: Any) -> str:
    """A setting's value as people write it, in a few words."""
    if value in (None, {}, []):
        return "nothing"
    if isinstance(value, dict | list):
        return "`key: value` lines" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:60] + "…"


def origin(c: Context, steps: Sequence[str]) -> str:
    """Where the last word on a setting was said: a file's path, or the environment.

    Invoke merges its levels and offers no way to ask, so this looks at the levels themselves.

    Args:
        steps: the setting's keys under `stack`.
    """
    parts = ["stack", *(step.partition("[")[0] for step in steps)]
    levels = [
        (c.config._runtime, c.config._runtime_path),
        (c.config._env, "the environment"),
        (c.config._project, c.config._project_path),
        (c.config._user, c.config._user_path),
        (c.config._system, c.config._system_path),
    ]
    for depth in range(len(parts), 0, -1):  # a missing key is nowhere: then the nearest section above it
        for values, place in levels:
            found: Any = {"": values}
            for part in ("", *parts[:depth]):
                found = found.get(part, MISSING) if isinstance(found, dict) else MISSING
            if found is not MISSING:
                return (
                    f"the environment ({'_'.join(['INVOKE', *parts]).upper()})"
                    if values is c.config._env
                    else str(place)
                )
    return str(c.config._project_path)
