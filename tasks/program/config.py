"""Invoke's configuration as this project uses it: the settings files, the `INVOKE_…` variables, and their sentences.

What is private to Invoke is used here and in merging.py, and nowhere else.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from invoke import Config, Context, Exit

from ..host.text import brief
from ..settings.root import ROOT
from ..settings.written import odd_keys, repeated_keys
from .merging import levels, merge

SUFFIXES = (".yaml", ".yml", ".json", ".py")  # of the settings files that Invoke reads
HELP = "Type inv --list for the tasks, inv --help TASK for its flags."
TRUTHS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off", ""), False),
}


class StackConfig(Config):
    """Invoke's configuration, which finds this project's tasks from any folder, and has sentences for broken files."""

    @staticmethod
    def global_defaults() -> dict[str, Any]:
        defaults: dict[str, Any] = Config.global_defaults()
        defaults["tasks"]["search_root"] = str(ROOT)
        return defaults

    def _load_yaml(self, path: PathLike[Any]) -> Any:
        return checked(path, read_yaml)

    _load_yml = _load_yaml

    def _load_json(self, path: PathLike[Any]) -> Any:
        return checked(path, read_json)

    def _load_py(self, path: Any) -> Any:
        load = super()._load_py
        return checked(path, lambda file: load(str(file)))

    def merge(self) -> None:
        merge(self, super().merge)


def prepare(c: Context) -> None:
    """Make a task's context the same whether this project's `inv` or pip's own runs the task.

    Raises:
        Exit: with code 2 for a settings file that is not there, or a variable that is neither true nor false.
    """
    from ..settings.sources import Level, Sources, remember_sources

    config = c.config
    check_file(config._runtime_path)
    correct_truths(config)
    if "stack_sources" not in config:
        if not isinstance(config, StackConfig):
            read_again(config)
        refuse_stray_sections(config)
        remember_sources(c, Sources(tuple(Level(*one) for one in levels(config)), str(config._runtime_path or "")))


def read_again(config: Config) -> None:
    """Read the settings files of pip's `inv` as ours does: Invoke itself loses what stands twice, without a word.

    Raises:
        Exit: with code 2 and a sentence that names the file.
    """
    readers = {".yaml": read_yaml, ".yml": read_yaml, ".json": read_json}
    for path in (config._runtime_path, config._project_path, config._user_path, config._system_path):
        if path and (read := readers.get(Path(path).suffix)):
            checked(Path(path).expanduser(), read)


def correct_truths(config: Config) -> None:
    """Set what the environment says of true or false settings right: Invoke takes every word for true, "false" too.

    Raises:
        Exit: with code 2 for a variable that is neither.
    """
    if read_truths(config._env, "INVOKE"):
        config.merge()


def check_file(path: PathLike[Any] | str | None) -> None:
    """Refuse a file named with -f, or by INVOKE_RUNTIME_CONFIG, without which Invoke would simply go on.

    Raises:
        Exit: with code 2.
    """
    if path is None:
        return
    if not Path(path).expanduser().is_file():
        said = f"There is no settings file {path}. Check the path after -f."
        raise Exit(said if str(path) else "The variable INVOKE_RUNTIME_CONFIG is empty. Unset it.", code=2)
    if Path(path).suffix not in SUFFIXES:
        raise Exit(f"{path} cannot be a settings file: its name ends in none of {', '.join(SUFFIXES)}.", code=2)


def refuse_stray_sections(config: Config) -> None:
    """Refuse a section beside `stack` that Invoke does not know either, in a file of this project or this run.

    Its settings would have no effect, and the run would be about the default ones.

    Raises:
        Exit: with code 2.
    """
    from ..settings.complaints import did_you_mean

    known = {"stack", *Config.global_defaults()}
    for values, path in ((config._runtime, config._runtime_path), (config._project, config._project_path)):
        for key in (values or {}).keys() - known:
            hint = did_you_mean(key, known) or "This project's settings stand under stack."
            raise Exit(f"There is no section {brief(key)}, which stands in {path}. {hint}", code=2)


def read_yaml(path: Path) -> Any:
    """What a file holds, read as YAML.

    Raises:
        YAMLError: when it is none, or says one thing twice: of these the last would count, and the first be lost.
    """
    from invoke.vendor.yaml import MarkedYAMLError, SafeLoader

    loader: Any = SafeLoader(path.read_text(encoding="utf-8"))  # type: ignore[no-untyped-call]
    node = loader.get_single_node()
    if node is None:
        return None
    for key in repeated_keys(node):
        said = f"{brief(key.value)} stands here twice; keep one"
        raise MarkedYAMLError(problem=said, problem_mark=key.start_mark)  # type: ignore[no-untyped-call]
    return loader.construct_document(node)


def read_json(path: Path) -> Any:
    """What a file holds, read as JSON.

    Raises:
        ValueError: when it is none, or says one thing twice.
    """
    return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=each_once)


def each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A section of a JSON file.

    Raises:
        ValueError: when it says one thing twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key in found if [name for name, _ in pairs].count(key) > 1)
        raise ValueError(f"{brief(twice)} stands there twice; keep one")
    return found


def checked(path: PathLike[Any], read: Callable[[Path], Any]) -> Any:
    """What a settings file holds; Invoke itself stumbles over one that holds anything but `key: value` lines.

    Raises:
        Exit: with code 2 and a sentence that names the file.
        FileNotFoundError: when there is none; Invoke then looks for the next name.
    """
    try:
        loaded = read(Path(path))
        odd = list(not_text(loaded)) if isinstance(loaded, dict) else []
        odd = (list(odd_keys(str(path))) or odd) if odd else []  # rather as they are written
    except FileNotFoundError:
        raise
    except UnicodeDecodeError:
        raise Exit(f"{path} cannot be read: it is not UTF-8.", code=2) from None
    except Exception as error:
        if mark := getattr(error, "problem_mark", None):
            said = f"not valid YAML ({getattr(error, 'problem', error)})"
            raise Exit(f"{path}, line {mark.line + 1}: {said}.", code=2) from None
        said = getattr(error, "strerror", None) or f"{error} ".splitlines()[0].strip()
        raise Exit(f"{path} cannot be read: {said}.", code=2) from None
    if loaded is not None and not isinstance(loaded, dict):
        found = type(loaded).__name__
        raise Exit(f"{path}: expected settings, as `key: value` lines, and found a {found}.", code=2)
    for section, key in odd:
        place = section or "it"
        raise Exit(f'{path}: {key} in {place} stands where a name is expected. Write it in quotes: "{key}"', code=2)
    return loaded


def not_text(settings: dict[Any, Any], section: str = "") -> Iterator[tuple[str, str]]:
    """The keys that are no text, which Invoke cannot do with, each with the section that it stands in."""
    for key, value in settings.items():
        if not isinstance(key, str):
            yield section, str(key)
        elif isinstance(value, dict):
            yield from not_text(value, f"{section}.{key}".lstrip("."))


def read_truths(values: dict[str, Any], name: str) -> bool:
    """Set each true or false value of the environment to what its variable says; Invoke takes "false" for true.

    Args:
        name: how the variables begin.

    Returns:
        Whether a value was changed.

    Raises:
        Exit: with code 2 for a variable that says neither.
    """
    changed = False
    for key, value in values.items():
        variable = f"{name}_{key.upper()}"
        if isinstance(value, dict):
            changed |= read_truths(value, variable)
        elif isinstance(value, bool):
            said = os.environ[variable]
            if said.lower() not in TRUTHS:
                raise Exit(f"The variable {variable} needs true or false, and {said!r} is neither.", code=2)
            values[key] = TRUTHS[said.lower()]
            changed |= values[key] is not value
    return changed
