"""The settings under `stack:` in invoke.yaml, checked and frozen."""

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

from invoke import Context, Exit
from msgspec import Meta, Struct, ValidationError, convert

ROOT = Path(__file__).resolve().parents[2]

# Docker's own grammars: a repository (with a registry in front or not), a reference to an image, a container's name.
REPOSITORY = r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"
REFERENCE = r"^[a-z0-9][a-zA-Z0-9._/:@-]*$"
CONTAINER = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$"
SERIES = r"^[a-zA-Z0-9_][a-zA-Z0-9_.-]*$"
FOLDER = r"^/[^:]+$"

Repository = Annotated[str, Meta(pattern=REPOSITORY)]
Reference = Annotated[str, Meta(pattern=REFERENCE)]
Seconds = Annotated[float, Meta(gt=0, le=86400)]

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


class Base(Struct, frozen=True, forbid_unknown_fields=True):
    """The second layer."""

    image: Repository
    parent: Reference
    dockerfile: str
    build_options: tuple[str, ...] = ()


class Frame(Struct, frozen=True, forbid_unknown_fields=True):
    """One third-layer image and the service that it runs as."""

    image: Repository
    dockerfile: str
    service: Annotated[str, Meta(pattern=CONTAINER)]
    port: Annotated[int, Meta(ge=1, le=65535)]
    run_options: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    build_args: dict[str, str] = {}
    build_options: tuple[str, ...] = ()


class Start(Struct, frozen=True, forbid_unknown_fields=True):
    """How a switch behaves; times in seconds."""

    allow: tuple[str, ...]
    timeout: Seconds = 60
    settle: Seconds = 3
    keep: Annotated[int, Meta(ge=0)] = 5
    rehearse: bool = True


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All that a site would change."""

    vendor: str
    maintainer: str
    url: str
    description: str
    series: Annotated[str, Meta(pattern=SERIES, max_length=40)]
    source: str
    data: Annotated[str, Meta(pattern=FOLDER)]
    base: Base
    frames: Annotated[dict[str, Frame], Meta(min_length=1)]
    start: Start

    def path(self, relative: str) -> Path:
        """A path from the settings, made absolute: relative ones start at the project's top folder."""
        try:
            return ROOT / Path(relative).expanduser()
        except RuntimeError:
            raise Exit(f"{relative}, which the settings name, is the home folder of nobody here.", code=2) from None

    def frame(self, name: str = "") -> Frame:
        """The frame called `name`, or the only one.

        Raises:
            Exit: with code 2, when there is no such frame, or several and none was named.
        """
        names = ", ".join(self.frames)
        if name and name not in self.frames:
            raise Exit(f"There is no frame {name}. Type --name with one of: {names}.", code=2)
        if not name and len(self.frames) > 1:
            raise Exit(f"There are several frames. Type --name with one of: {names}.", code=2)
        return self.frames[name or next(iter(self.frames))]


def load(c: Context) -> Settings:
    """Read and check the settings of this run.

    Raises:
        Exit: with code 2 and a sentence that names the key, its file, and what was expected.
    """
    raw = plain(c.config).get("stack")
    if not isinstance(raw, dict):
        raise Exit(f"There are no settings: {ROOT / 'invoke.yaml'} has no `stack:` section.", code=2)
    try:
        found = convert(raw, Settings)
    except ValidationError as error:
        raise Exit(complaint(c, raw, str(error)), code=2) from None
    for sentence in (*unprintable(found), *same(found)):
        raise Exit(sentence, code=2)
    known = set(variables("INVOKE_STACK", raw))
    for name in os.environ:
        if name.startswith("INVOKE_STACK_") and name not in known:
            hint = meant(name, known) or "Its name is made of a setting's: INVOKE_STACK_START_TIMEOUT."
            raise Exit(f"The variable {name} names no setting. {hint}", code=2)
    return found


def unprintable(settings: Settings) -> Iterator[str]:
    """A sentence for each word of a command that no recommended command may hold."""
    for name, frame in settings.frames.items():
        for key, words in (("command", frame.command), ("run_options", frame.run_options)):
            for word in words:
                if not word.isprintable():
                    what = f"expected text of one line without control characters, found {shown(word)}"
                    yield f"Setting stack.frames.{name}.{key}: {what}."


def same(settings: Settings) -> Iterator[str]:
    """A sentence for each image or service that two settings name: one would take the other's place."""
    images = {"stack.base.image": settings.base.image}
    images |= {f"stack.frames.{name}.image": frame.image for name, frame in settings.frames.items()}
    services = {f"stack.frames.{name}.service": frame.service for name, frame in settings.frames.items()}
    for named in (images, services):
        for (one, value), (other, again) in combinations(named.items(), 2):
            if value == again:
                yield f"Settings {one} and {other} are both {value}. Give each a name of its own."


def meant(name: str, known: Collection[str]) -> str:
    """A question about the name that was probably meant; "" when none is near."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    return f"Did you mean {near[0]}?" if near else ""


def variables(prefix: str, raw: Any) -> Iterator[str]:
    """The names of the environment variables that Invoke reads for these settings."""
    if not isinstance(raw, dict):
        yield prefix
        return
    for key, value in raw.items():
        yield from variables(f"{prefix}_{str(key).upper()}", value)


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


def plain(value: Any) -> Any:
    """Invoke's proxies as the dictionaries they stand for."""
    if isinstance(value, Mapping) or hasattr(value, "keys"):
        return {key: plain(value[key]) for key in value}
    return value


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
