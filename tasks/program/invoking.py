"""Invoke as this project uses it: its order of tasks, its exit codes, and sentences for what is wrong in settings."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from invoke import Config, Exit, Program
from invoke.config import AmbiguousMergeError
from invoke.exceptions import AmbiguousEnvVar, CollectionNotFound, ParseError, UncastableEnvVar

from ..host import signals
from ..settings.model import ROOT
from .endings import told

SUFFIXES = (".yaml", ".yml", ".json", ".py")  # of the settings files that Invoke reads
HELP = "Type inv --list for the tasks, inv --help TASK for its flags."


def yaml_file(path: Path) -> Any:
    """What a file holds, read as YAML."""
    from invoke.vendor.yaml import safe_load

    return safe_load(path.read_text(encoding="utf-8"))  # type: ignore[no-untyped-call]


def checked(path: PathLike[Any], kind: str, read: Callable[[Path], Any]) -> Any:
    """What a settings file holds; Invoke itself stumbles over one that holds anything but `key: value` lines.

    Args:
        kind: what it is to be, for people.

    Raises:
        Exit: with code 2 and a sentence that names the file.
    """
    try:
        loaded = read(Path(path))
        odd = list(odd_keys(loaded)) if isinstance(loaded, dict) else []
    except UnicodeDecodeError:
        raise Exit(f"{path}: not valid {kind} (it is not UTF-8).", code=2) from None
    except RecursionError:
        raise Exit(f"{path}: nested too deeply.", code=2) from None
    except ValueError as error:
        raise Exit(f"{path}: not valid {kind} ({error}).", code=2) from None
    except PermissionError:
        raise Exit(f"{path} cannot be read: permission denied.", code=2) from None
    except IsADirectoryError:
        raise Exit(f"{path} is a folder, and no settings file.", code=2) from None
    except Exception as error:
        if type(error).__module__.startswith("invoke.vendor.yaml"):
            raise not_yaml(path, error) from None
        raise
    if loaded is not None and not isinstance(loaded, dict):
        found = type(loaded).__name__
        raise Exit(f"{path}: expected settings, as `key: value` lines, and found a {found}.", code=2)
    for section, key in odd:
        place = section or "it"
        raise Exit(f'{path}: {key} in {place} stands where a name is expected. Write it in quotes: "{key}"', code=2)
    return loaded


class StackConfig(Config):
    """Invoke's configuration, which finds this project's tasks from any folder."""

    @staticmethod
    def global_defaults() -> dict[str, Any]:
        defaults: dict[str, Any] = Config.global_defaults()
        defaults["tasks"]["search_root"] = str(ROOT)
        return defaults

    def _load_yaml(self, path: PathLike[Any]) -> Any:
        return checked(path, "YAML", yaml_file)

    _load_yml = _load_yaml

    def _load_json(self, path: PathLike[Any]) -> Any:
        return checked(path, "JSON", lambda file: json.loads(file.read_text(encoding="utf-8")))

    def merge(self) -> None:
        """Merge the levels; Invoke has no sentence for a section in one file that is a value in another."""
        levels = (  # an empty file is None
            (self._runtime or {}, self._runtime_path),
            (self._user or {}, self._user_path),
            (self._system or {}, self._system_path),
            (self._project or {}, self._project_path),
        )
        for level, _ in levels:
            for below in (self._defaults, self._project or {}):
                drop_empty(level, below)
        try:
            super().merge()
        except AmbiguousMergeError:
            places = ((self._project or {}, "invoke.yaml"), (self._defaults, "Invoke"))
            for level, path in levels:
                for below, place in places:
                    if name := conflict(below, level):
                        expected = f"expected `key: value` lines where {place} has them, and only there"
                        raise Exit(f"Setting {name} in {path}: {expected}.", code=2) from None
            raise Exit("In the settings files, a section of one is a value of another.", code=2) from None

    def load_shell_env(self) -> None:
        """Read the `INVOKE_…` variables; Invoke takes every word but "0" and "" for true, "false" too."""
        super().load_shell_env()
        if self._env:
            read_truths(self._env, "INVOKE")
            self.merge()


class StackProgram(Program):
    """Invoke's program with three changes.

    - Tasks are listed in the order of the work, not of the alphabet.
    - A wrong argument ends with 2, an interrupt with 130; a broken settings file gets a sentence, not a traceback.
    - Compiled modules are kept (Invoke turns that off), so that every later start is faster.
    """

    def create_config(self) -> None:
        wrong_arguments(super().create_config)

    def parse_core(self, argv: list[str] | None) -> None:
        wrong_arguments(super().parse_core, argv)
        sys.dont_write_bytecode = False

    def parse_collection(self) -> None:
        wrong_arguments(super().parse_collection)

    def parse_tasks(self) -> None:
        wrong_arguments(super().parse_tasks)

    def parse_cleanup(self) -> None:
        wrong_arguments(super().parse_cleanup)

    def update_config(self, merge: bool = True) -> None:
        path = self.args.config.value or os.environ.get("INVOKE_RUNTIME_CONFIG")
        if path and not Path(path).expanduser().is_file():  # Invoke would go on without it
            raise Exit(f"There is no settings file {path}. Check the path after -f.", code=2)
        if path and Path(path).suffix not in SUFFIXES:
            raise Exit(f"{path} cannot be a settings file: its name ends in none of {', '.join(SUFFIXES)}.", code=2)
        wrong_arguments(super().update_config, merge)
        wrong_arguments(self.config.load_shell_env)  # again before each task, but here its complaint has a sentence

    def execute(self) -> None:
        with told(), signals.as_interrupts():
            super().execute()

    def _make_pairs(self, coll: Any, ancestors: list[str] | None = None) -> list[tuple[str, str | None]]:
        pairs: list[tuple[str, str | None]] = super()._make_pairs(coll, ancestors)
        order = list(coll.tasks)
        return sorted(pairs, key=lambda pair: order.index(pair[0].split()[0]) if pair[0] in order else len(order))


def odd_keys(settings: dict[Any, Any], section: str = "") -> Iterator[tuple[str, object]]:
    """The keys that are no text, which Invoke cannot do with, each with the section that it stands in."""
    for key, value in settings.items():
        if not isinstance(key, str):
            yield section, key
        elif isinstance(value, dict):
            yield from odd_keys(value, f"{section}.{key}".lstrip("."))


def drop_empty(settings: dict[str, Any], below: dict[str, Any]) -> None:
    """Take away each section without a line, as when all are commented out: it says nothing. `below` has it filled."""
    for key, value in [*settings.items()]:
        if isinstance(below.get(key), dict):
            if value is None:
                del settings[key]
            elif isinstance(value, dict):
                drop_empty(value, below[key])


TRUTHS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off", ""), False),
}


def read_truths(values: dict[str, Any], name: str) -> None:
    """Set each true or false value of the environment to what its variable says. `name`: how the variables begin.

    Raises:
        Exit: with code 2 for a variable that says neither.
    """
    for key, value in values.items():
        variable = f"{name}_{key.upper()}"
        if isinstance(value, dict):
            read_truths(value, variable)
        elif isinstance(value, bool):
            said = os.environ[variable]
            if said.lower() not in TRUTHS:
                raise Exit(f"The variable {variable} needs true or false, and {said!r} is neither. {HELP}", code=2)
            values[key] = TRUTHS[said.lower()]


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


def not_yaml(path: PathLike[Any], error: Exception) -> Exit:
    """The sentence about a settings file that Invoke's reader of YAML refuses."""
    where = getattr(error, "problem_mark", None)
    line = f", line {where.line + 1}" if where else ""
    return Exit(f"{path}{line}: not valid YAML ({getattr(error, 'problem', error)}).", code=2)


def wrong_arguments(step: Any, *args: Any) -> None:
    """Do one of Invoke's steps before the tasks; what it says of wrong input becomes a sentence and exit code 2.

    Raises:
        Exit: with code 2, for an unknown task or flag, a settings file that is not YAML, or an `INVOKE_…` variable
            that cannot become the setting it names; with code 130 when the person says stop.
    """
    try:
        step(*args)
    except KeyboardInterrupt:
        raise Exit("Stopped.", code=130) from None
    except ParseError as error:
        said = re.sub(r"<Argument: (\S+).*?>", r"--\1", str(error))
        raise Exit(f"{said} {HELP}", code=2) from None
    except SyntaxError as error:  # of a settings file in Python
        raise Exit(f"{error.filename}, line {error.lineno}: {error.msg}.", code=2) from None
    except CollectionNotFound as error:
        raise Exit(f"There is no {error.name}.py in or above {error.start}.", code=2) from None
    except AmbiguousEnvVar as error:
        raise Exit(f"Two settings have the same INVOKE_… variable: {error}.", code=2) from None
    except (UncastableEnvVar, ValueError) as error:
        raise Exit(wrong_value(error), code=2) from None


def wrong_value(error: Exception) -> str:
    """The sentence about a flag's value, or a variable's, that is no number. Invoke says only what the value is."""
    value = re.search("(?:invalid literal|could not convert).*?('.*')", str(error))
    if value:
        names = [name for name in os.environ if name.startswith("INVOKE_") and repr(os.environ[name]) == value[1]]
        place = f"The variable {names[0]}" if names else "A flag"
        kind = "whole number" if "int()" in str(error) else "number"
        return f"{place} needs a {kind}, and {value[1]} is none. {HELP}"
    if isinstance(error, ValueError):
        return f"A setting cannot be used: {error}"
    names = [name for name in os.environ if name.startswith("INVOKE_")]
    return f"A list of settings cannot be a variable ({', '.join(names)}). Write it into a file and type: inv -f FILE …"
