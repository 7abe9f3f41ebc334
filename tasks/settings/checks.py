"""What no type can say of the settings: words that nothing replaces, names that meet, a folder that is the host."""

import os.path
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

from invoke import Context
from msgspec import Struct

from ..host.text import REPLACED_BY_A_SHELL, SHELL_OPERATOR_WORD, brief
from .complaints import origin
from .model import Settings
from .root import ENVIRONMENT
from .written import scalar

# As YAML 1.1 may read a number otherwise: octal, hexadecimal, binary, in sixties, with underscores.
MAYBE_ODD = re.compile(r":\s*(?:![^\s]*\s+)?[-+]?(?:0[0-9_xb]|[0-9][0-9_]*[_:][0-9_])")
PLAIN_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+")
TEMPORARY = ("next", "rehearsal", "recovery")  # ends of the names that a switch gives to its own containers


def sentences(c: Context, settings: Settings) -> Iterator[str]:
    """A sentence for each thing that is wrong."""
    yield from odd_numbers(c, settings)
    yield from whole_host(c, settings)
    yield from wrong_words(c, settings)
    yield from duplicates(settings)
    yield from meeting(settings)


def odd_numbers(c: Context, settings: Settings) -> Iterator[str]:
    """A sentence for each number that YAML reads as another than people do: `010` is 8, `1:30` is 90."""
    texts: dict[str, bool] = {}  # of a file: whether it may hold one
    for steps, value in numbers(settings):
        place = origin(c, steps)
        if place not in texts:
            texts[place] = place != ENVIRONMENT and may_hold(place, MAYBE_ODD)
        written = scalar(place, ["stack", *steps]) if texts[place] else ""
        if written and not PLAIN_NUMBER.fullmatch(written):
            said = f"YAML reads {brief(written, 61)} as {value:.12g}"
            yield f"Setting {'.'.join(['stack', *steps])} in {place}: {said}. Write plain digits without a 0 in front."


def numbers(value: Any, steps: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """The numbers in settings, each with the keys that lead to it."""
    if isinstance(value, Struct):
        value = {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from numbers(inner, (*steps, str(key)))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield steps, value


def may_hold(place: str, pattern: "re.Pattern[str]") -> bool:
    """Whether a file holds such a text; what cannot be read does not."""
    try:
        return bool(pattern.search(Path(place).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False


def whole_host(c: Context, settings: Settings) -> Iterator[str]:
    """A sentence for each folder that volumes may come from and that holds all others, such as `/data/..`."""
    folders = {("data",): (settings.data,), ("start", "volumes"): settings.start.volumes}
    for steps, paths in folders.items():
        for path in paths:
            if os.path.normpath("/" + path.lstrip("/")) == "/":
                what = "expected a folder, such as /data, and not the whole file system"
                yield f"Setting {'.'.join(['stack', *steps])} in {origin(c, steps)}: {what}, found {brief(path)}."


def wrong_words(c: Context, settings: Settings) -> Iterator[str]:
    """A sentence for each word of a command that no recommended command may hold, or that means more to a shell."""
    options: list[tuple[tuple[str, ...], Sequence[str]]] = [(("base", "build_options"), settings.base.build_options)]
    for name, frame in settings.frames.items():
        for word in (*frame.run_options, *frame.command):
            if not word.isprintable():
                key = "run_options" if word in frame.run_options else "command"
                what = f"expected text of one line without control characters, found {brief(word)}"
                yield f"Setting stack.frames.{name}.{key}: {what}."
        options.append((("frames", name, "run_options"), without_scripts(frame.run_options, "--health-cmd")))
        options.append((("frames", name, "command"), without_scripts(frame.command, "-[a-z]*c")))
        options.append((("frames", name, "build_options"), frame.build_options))
    for steps, words in options:
        for word in words:
            if found := REPLACED_BY_A_SHELL.search(word):
                what = f"{brief(found[0], 80)} is passed as it is, because no shell reads it"
                way = "Write what it stands for; for a password, use --env-file and start.env_files."
                yield f"Setting {'.'.join(['stack', *steps])} in {origin(c, steps)}: {what}. {way}"
            elif SHELL_OPERATOR_WORD.fullmatch(word):
                what = f"{brief(word, 80)} is passed as a word, because no shell reads it"
                way = "For what a shell would do, have one in the container: [sh, -c, …]."
                yield f"Setting {'.'.join(['stack', *steps])} in {origin(c, steps)}: {what}. {way}"


def without_scripts(words: Sequence[str], option: str) -> list[str]:
    """The words less those that a shell in the container reads: what follows an option, as a word or after `=`."""
    return [
        word
        for before, word in zip(("", *words), words, strict=False)
        if not (re.fullmatch(option, before) or re.match(f"{option}=", word))
    ]


def duplicates(settings: Settings) -> Iterator[str]:
    """A sentence for each image or service that two settings name: one would take the other's place."""
    frames, images = settings.frames, {"stack.base.image": settings.base.image}
    images |= {f"stack.frames.{name}.image": frame.image for name, frame in frames.items()}
    services = {f"stack.frames.{name}.service": frame.service for name, frame in frames.items()}
    services["stack.weights.service"] = settings.weights.service
    services |= {f"the name of inv dev for stack.frames.{name}": f"{one.service}-dev" for name, one in frames.items()}
    for named in (images, services):
        for (one, value), (other, theirs) in combinations(named.items(), 2):
            if value == theirs:
                yield f"Settings {one} and {other} are both {value}. Give each a name of its own."


def meeting(settings: Settings) -> Iterator[str]:
    """A sentence for each two services of which one may give a container the other's name: it would destroy it.

    A switch of `svc` has `svc.next`, `svc.rehearsal` and `svc.recovery`, and keeps earlier versions as `svc.<tag>`; a
    tag may hold dots.
    """
    for (one, frame), (other, theirs) in permutations(settings.frames.items(), 2):
        end = theirs.service.removeprefix(f"{frame.service}.")
        if end != theirs.service:
            kind = "a switch of" if end.partition(".")[0] in TEMPORARY else "an earlier version of"
            yield (
                f"Setting stack.frames.{other}.service, {theirs.service}, is a name that {kind} {frame.service} "
                f"(stack.frames.{one}.service) may take. Give it one that does not begin with {frame.service}."
            )
