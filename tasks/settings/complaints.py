"""What is said when a setting is wrong: which one, in which file, and what was expected."""

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

from invoke import Context
from msgspec import Struct, ValidationError, convert

from ..engine.names import CONTAINER, REFERENCE, REPOSITORY
from ..host.text import brief
from .model import FILE, FOLDER, NETWORK, OWN_SERIES, ROOT, SERIES, Base, Frame, Settings, Start
from .root import ENVIRONMENT
from .sources import sources
from .written import scalar

# What msgspec calls by regular expressions and bounds, in words.
EXPECTED = {
    f"`str` matching regex {REPOSITORY!r}": "an image's name in small letters and without a tag, such as colorai/base",
    f"`str` matching regex {REFERENCE!r}": "an image's name, such as ufoym/deepo:pytorch-py36-cu90",
    f"`str` matching regex {CONTAINER!r}": "a name of letters, digits, dots, dashes and underscores, at least two",
    f"`str` matching regex {SERIES!r}": 'letters, digits, dots, dashes and underscores, such as "0.2"',
    f"`str` matching regex {OWN_SERIES!r}": 'letters, digits, dots, dashes and underscores, such as "0.2"',
    f"`str` matching regex {NETWORK!r}": "none, or the name of a docker network other than host",
    f"`str` matching regex {FOLDER!r}": "a folder's whole path, such as /data, without a colon",
    f"`str` matching regex {FILE!r}": "a file's whole path, such as /etc/cauchycv.env",
    "`str` of length <= 40": "40 characters at most",
    "`int` >= 1": "a port, from 1 to 65535",
    "`int` <= 65535": "a port, from 1 to 65535",
    "`int` >= 0": "0 or a greater whole number",
    "`float` > 0.0": "more than 0 seconds",
    "`float` <= 86400.0": "at most a day, 86400 seconds",
    "`object` of length >= 1": "at least one frame",
    "`str`": "text",
    "`int`": "a whole number",
    "`int | null`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`array`": "a list, such as [a, b]",
    "`object`": "`key: value` lines",
}


def did_you_mean(name: str, known: Collection[str]) -> str:
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
    steps, value = locate(raw, where.rpartition("$")[2].rstrip("`"))
    if field := re.search("unknown field `(.*)`", what):
        section = ".".join(["stack", *steps])
        hint = did_you_mean(field[1], settings_of(steps)) or f"There are: {', '.join(settings_of(steps))}."
        return f"There is no setting {section}.{field[1]}, which stands in {origin(c, [*steps, field[1]])}. {hint}"
    if field := re.search("required field `(.*)`", what):
        return f"Setting {'.'.join(['stack', *steps, field[1]])} is missing in {origin(c, steps)}."
    name = ".".join(["stack", *steps])
    expected = what.removeprefix("Expected ").partition(", got ")[0]
    hint, place = "", origin(c, steps)
    is_scalar = isinstance(value, bool | int | float)
    standing = brief(scalar(place, ["stack", *steps]), 61) if is_scalar else ""
    if expected == "`str`" and not isinstance(value, dict | list | None):
        hint = f' Write it in quotes: "{standing}"' if standing else " Write it in quotes."
    expected = EXPECTED.get(expected, expected)
    return f"Setting {name} in {place}: expected {expected}, found {standing or as_written(value)}.{hint}"


def locate(raw: Any, path: str) -> tuple[list[str], Any]:
    """Where msgspec's path leads: its steps, and what is there. `[...]` is some key: the first that is wrong."""
    steps: list[str] = []
    for name, number in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", path):
        if number.isdigit():
            steps[-1] += f"[{number}]"
            raw = raw[int(number)]
            continue
        kind = Frame if steps == ["frames"] else str
        key = name or next(key for key, value in raw.items() if is_wrong(value, kind))
        steps.append(str(key))
        raw = raw[key]
    return steps, raw


def is_wrong(value: Any, kind: type) -> bool:
    try:
        convert(value, kind)
    except ValidationError:
        return True
    return False


def settings_of(steps: Sequence[str]) -> tuple[str, ...]:
    """The settings that a section may have."""
    sections: dict[str, type[Struct]] = {"base": Base, "frames": Frame, "start": Start}
    return (sections[steps[0]] if steps else Settings).__struct_fields__


def as_written(value: Any) -> str:
    """A setting's value as people write it, in a few words."""
    if value in (None, {}, []):
        return "nothing"
    if isinstance(value, dict | list):
        return "`key: value` lines" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return brief(text, 61)


def origin(c: Context, steps: Sequence[str]) -> str:
    """Where the last word on a setting was said: a file's path, or the environment.

    Args:
        steps: the setting's keys under `stack`.
    """
    parts = ["stack", *(step.partition("[")[0] for step in steps)]
    found = sources(c)
    for depth in range(len(parts), 0, -1):  # a missing key is nowhere: then the nearest section above it
        for level in found.levels:
            if holds(level.values, parts[:depth]):
                variable = "_".join(["INVOKE", *parts]).upper()
                return f"{ENVIRONMENT} ({variable})" if level.place == ENVIRONMENT else level.place
    return found.file or str(ROOT / "invoke.yaml")


def holds(values: Any, keys: Sequence[str]) -> bool:
    """Whether a level says something of the setting that these keys lead to."""
    for key in keys:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True
