"""Loading the settings of this run."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from invoke import Context, Exit
from msgspec import ValidationError, convert

from .checks import sentences
from .complaints import complaint, did_you_mean
from .model import ROOT, Settings
from .sources import Sources, remember_sources


def load(c: Context) -> Settings:
    """Read and check the settings of this run.

    Raises:
        Exit: with code 2 and a sentence that names the key, its file, and what was expected.
    """
    raw = as_dictionaries(c.config).get("stack")
    if not isinstance(raw, dict):
        raise Exit(f"There are no settings: {ROOT / 'invoke.yaml'} has no `stack:` section.", code=2)
    try:
        found = convert(raw, Settings)
    except ValidationError as error:
        raise Exit(complaint(c, raw, str(error)), code=2) from None
    for sentence in sentences(c, found):
        raise Exit(sentence, code=2)
    known = set(variables("INVOKE_STACK", raw))
    for name in os.environ:
        if name.startswith("INVOKE_STACK_") and name not in known:
            hint = did_you_mean(name, known) or "Its name is made of a setting's: INVOKE_STACK_START_TIMEOUT."
            raise Exit(f"The variable {name} names no setting. {hint}", code=2)
    return found


def load_file(c: Context, file: Path) -> Settings:
    """The settings that another file gives over this project's own, whatever file this run was started with.

    Raises:
        Exit: as `load`.
    """
    config = type(c.config)(project_location=ROOT, runtime_path=file)
    config.load_project(merge=False)
    config.load_runtime()
    other = Context(config)
    remember_sources(other, Sources(file=str(file)))
    return load(other)


def variables(prefix: str, raw: Any) -> Iterator[str]:
    """The names of the environment variables that Invoke reads for these settings."""
    if not isinstance(raw, dict):
        yield prefix
        return
    for key, value in raw.items():
        yield from variables(f"{prefix}_{str(key).upper()}", value)


def as_dictionaries(value: Any) -> Any:
    """Invoke's proxies as the dictionaries they stand for."""
    if isinstance(value, Mapping) or hasattr(value, "keys"):
        return {key: as_dictionaries(value[key]) for key in value}
    return value
