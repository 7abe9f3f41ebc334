"""What may be typed next, for the completion of a shell: tasks, flags, and the values of those that have a list.

Asked as Invoke's own `--complete` is, with the words of the line behind `--`, of which the last is the one at the
cursor; it may be "". A candidate is the whole of that word.
"""

import os
import re
import shlex
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Context, Exit
from msgspec import Struct

from ..engine.endpoint import contexts
from ..host.shells import SCRIPTS
from ..settings.model import ROOT, Settings
from .config import prepare, read_yaml

if TYPE_CHECKING:
    from invoke.parser import Argument, ParserContext

    from .invoking import StackProgram

PATIENCE = 1.0  # seconds for what values may be asked of; an engine that does not answer must not hold up a shell
UNQUOTED = re.compile(r"[\w.,+@:/=-]+")  # what means itself in every shell


class Place(Struct, frozen=True):
    """Where the cursor is: behind a task, or before the first, and behind a flag if that takes a value.

    `values` are those typed so far for this task and for Invoke itself, by flag.
    """

    context: "ParserContext"
    flag: "Argument | None"
    values: Mapping[str, str]


def answer(program: "StackProgram", words: Sequence[str]) -> None:
    """Print what the last of these words may be, a line each.

    Raises:
        Exit: with code 0, or 1 where any value may come, so that a shell may offer the names of files.
    """
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    *before, last = [unquoted(word) for word in words] or [""]
    found = candidates(program, before, last)
    if found is None:
        raise Exit(code=1)
    print("".join(f"{one}\n" for one in found if UNQUOTED.fullmatch(one)), end="")
    raise Exit(code=0)


def candidates(program: "StackProgram", before: Sequence[str], last: str) -> list[str] | None:
    """What the word at the cursor may be; None where any value may come."""
    place = place_of(program, before)
    flag, equals, part = last.partition("=")
    if place.flag is None and flag.startswith("--") and equals:
        beginning, place = f"{flag}=", place_of(program, [*before, flag])
        values = values_for(program, place) if place.flag else []
    elif place.flag is None:
        beginning, part, values = free_word(program, place, last, first=place.context.name in before[-1:])
    else:
        beginning, part, values = "", last, values_for(program, place)
    return None if values is None else [beginning + value for value in values if value.startswith(part)]


def free_word(program: "StackProgram", place: Place, last: str, first: bool) -> tuple[str, str, list[str] | None]:
    """A word that is no value of a flag: a flag, a task, or what a task is about.

    Args:
        first: whether it stands right behind the task.

    Returns:
        What of the word is fixed, the rest, and what the rest may be; None where any value may come.
    """
    if last.startswith("-"):
        return "", last, flags(place, program)
    about = {argument.names[0] for argument in place.context.positional_args}
    if "hosts" in about:
        beginning, comma, part = last.rpartition(",")
        return beginning + comma, part, [*contexts(), *([] if first or comma else tasks(program))]
    return "", last, None if first and "file" in about else tasks(program)


def place_of(program: "StackProgram", words: Sequence[str]) -> Place:
    """Where these words lead."""
    core, contexts = program.initial_context, program.parser.contexts
    context, flag, values = core, None, dict[str, str]()
    for word in words:
        if flag and word == "=":  # bash cuts --tag=0.2 into three words
            continue
        if flag and not (flag.optional and word.startswith("-")):
            values[flag.names[0]], flag = word, None
            continue
        name, equals, value = word.partition("=")
        found = next((one.flags[name] for one in (context, core) if name in one.flags), None)
        if found and found.takes_value:
            flag = None if equals else found
            values |= {found.names[0]: value} if equals else {}
        elif word in contexts and not word.startswith("-"):
            context = contexts[word]
            values = {key: value for key, value in values.items() if key in core.args}
    return Place(context, flag, values)


def tasks(program: "StackProgram") -> list[str]:
    """The tasks in the order of the work, their aliases behind them."""
    contexts = program.parser.contexts.values()
    return [*(str(one.name) for one in contexts), *(alias for one in contexts for alias in one.aliases)]


def flags(place: Place, program: "StackProgram") -> list[str]:
    """The long flags of the task, or of Invoke itself before the first one."""
    names = [name for name in place.context.flag_names() if name.startswith("--")]
    return names if place.context.name is None else [*names, "--help"]


def values_for(program: "StackProgram", place: Place) -> list[str] | None:
    """The values that the flag at the cursor may have; None where any may come."""
    assert place.flag
    task, flag = place.context.name, place.flag.names[0].strip("-_")
    if flag == "help":
        return tasks(program)
    kinds: dict[tuple[str | None, str], Callable[[], Iterator[str]]] = {
        (task, "name"): lambda: iter(settings(program, place).frames),
        (task, "tag"): lambda: tags(program, place),
        ("changes", "from"): lambda: tags(program, place),
        ("changes", "to"): lambda: tags(program, place),
        ("bundle", "since"): lambda: tags(program, place),
        ("fetch-vendor", "only"): libraries,
        ("fetch-vendor", "update"): lambda: libraries("git"),
        ("completion", "shell"): lambda: iter(SCRIPTS),
    }
    found = kinds.get((task, flag))
    try:
        return [*found()] if found else None
    except Exception:  # a wrong setting, no such file, no engine: a task says so, a key press does not
        return []


def settings(program: "StackProgram", place: Place) -> Settings:
    """The settings of the run that is being typed."""
    from ..settings.this_run import load_settings

    if "config" in place.values:
        program.args.config.value = str(Path(os.path.expandvars(place.values["config"])).expanduser())
    program.update_config()
    program.config.load_shell_env()
    c = Context(program.config)
    prepare(c)
    return load_settings(c)


def tags(program: "StackProgram", place: Place) -> Iterator[str]:
    """The tags of the named frame's versions, or of all frames', the newest first.

    Only an engine behind a Unix socket is asked: the way to any other takes longer than a key press may.
    """
    from ..engine.endpoint import resolve
    from ..engine.engine import Engine, versions
    from ..engine.names import being_built

    endpoint, known, name = resolve(), settings(program, place).frames, place.values.get("name", "")
    path, asked = program.asked or ("", None)
    frames = [known[name]] if name in known else known.values()
    images = Engine(endpoint).every_image(asked if path == endpoint.socket else None) if endpoint.socket else []
    found = (row.tag for frame in frames for row in versions(images, frame.image))
    yield from dict.fromkeys(tag for tag in found if not being_built(tag))


def libraries(kind: str = "") -> Iterator[str]:
    """The libraries that vendor.yaml names, of this kind or of all."""
    try:
        found = read_yaml(ROOT / "vendor/vendor.yaml")
    except Exception:  # whatever is wrong with the file
        return
    pins = found if isinstance(found, dict) else {}
    yield from (str(name) for name, pin in pins.items() if not kind or (isinstance(pin, dict) and kind in pin))


def unquoted(word: str) -> str:
    """A word as a shell would hand it over; as it stands while its quotes are still open."""
    try:
        return "".join(shlex.split(word))
    except ValueError:
        return word.strip("'\"")
