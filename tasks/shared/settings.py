"""The settings under `stack:` in invoke.yaml, checked and frozen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from invoke import Context, Exit
from msgspec import Meta, Struct, ValidationError, convert

ROOT = Path(__file__).resolve().parents[2]

# Docker's own grammars: a repository (with a registry in front or not), a reference to an image, a container's name.
REPOSITORY = r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"
REFERENCE = r"^[a-z0-9][a-zA-Z0-9._/:@-]*$"
CONTAINER = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$"

Repository = Annotated[str, Meta(pattern=REPOSITORY)]
Reference = Annotated[str, Meta(pattern=REFERENCE)]
Seconds = Annotated[float, Meta(gt=0)]


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
    series: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_][a-zA-Z0-9_.-]*$", max_length=40)]
    source: str
    data: Annotated[str, Meta(pattern="^/[^:]+$")]
    base: Base
    frames: Annotated[dict[str, Frame], Meta(min_length=1)]
    start: Start

    def path(self, relative: str) -> Path:
        """A path from the settings, made absolute: relative ones start at the project's top folder."""
        return ROOT / Path(relative).expanduser()

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
        return convert(raw, Settings)
    except ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        path = where.rstrip("`").strip(".").replace("[...]", ".…")
        key = ".".join(part for part in ("stack", path) if part)
        raise Exit(f"Setting {key} in {origin(c, key)}: {what[0].lower()}{what[1:]}.", code=2) from None


def plain(value: Any) -> Any:
    """Invoke's proxies as the dictionaries they stand for."""
    if isinstance(value, Mapping) or hasattr(value, "keys"):
        return {key: plain(value[key]) for key in value.keys()}
    return value


def origin(c: Context, key: str) -> str:
    """Where the last word on a setting was said: a file's path, or the environment.

    Invoke merges its levels and offers no way to ask, so this looks at the levels themselves.
    """
    parts = [part for part in key.split(".") if part != "…"]
    levels = [
        (c.config._env, "the environment (an INVOKE_STACK_… variable)"),
        (c.config._runtime, c.config._runtime_path),
        (c.config._project, c.config._project_path),
        (c.config._user, c.config._user_path),
        (c.config._system, c.config._system_path),
    ]
    for depth in range(len(parts), 0, -1):  # a missing key is nowhere: then the nearest section above it
        for values, place in levels:
            found: Any = values
            for part in parts[:depth]:
                found = found.get(part) if isinstance(found, dict) else None
            if found is not None:
                return str(place)
    return str(c.config._project_path)
