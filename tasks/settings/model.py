"""The settings under `stack:` in invoke.yaml, checked and frozen."""

from pathlib import Path
from typing import Annotated

from invoke import Exit
from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from ..engine.names import CONTAINER, REFERENCE, REPOSITORY, full_reference, repository_of
from .root import ROOT

SERIES = r"^[a-zA-Z0-9_][a-zA-Z0-9_.-]*$"
OWN_SERIES = r"^([a-zA-Z0-9_][a-zA-Z0-9_.-]*)?$"
FOLDER = r"^/[^:]+$"
FILE = r"^/.+$"
NETWORK = r"^(?!host$)[a-zA-Z0-9][a-zA-Z0-9_.-]*$"

Repository = Annotated[str, Meta(pattern=REPOSITORY)]
Reference = Annotated[str, Meta(pattern=REFERENCE)]
Folder = Annotated[str, Meta(pattern=FOLDER)]
File = Annotated[str, Meta(pattern=FILE)]
Seconds = Annotated[float, Meta(gt=0, le=86400)]


class Base(Struct, frozen=True, forbid_unknown_fields=True):
    """The second layer."""

    image: Repository
    parent: Reference
    dockerfile: str
    files: tuple[str, ...] = ()
    build_args: dict[str, str] = {}
    build_options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        force_setattr(self, "image", repository_of(self.image))  # as the engine lists it


class Frame(Struct, frozen=True, forbid_unknown_fields=True):
    """One third-layer image and the service that it runs as.

    `source` and `series` are "" where the settings' own hold. `latest` moves the tag of that name along. `installed` is
    where the image has the source, "" for its working directory.
    """

    image: Repository
    dockerfile: str
    service: Annotated[str, Meta(pattern=CONTAINER)]
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    source: str = ""
    series: Annotated[str, Meta(pattern=OWN_SERIES, max_length=40)] = ""
    latest: bool = False
    installed: Annotated[str, Meta(pattern=f"{FOLDER}|^$")] = ""
    run_options: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    build_args: dict[str, str] = {}
    build_options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        force_setattr(self, "image", repository_of(self.image))  # as the engine lists it

    def recommended_command(self, tag: str) -> list[str]:
        """The `docker run …` that the settings recommend for a version."""
        image = f"{self.image}:{tag}"
        return ["docker", "run", "--detach", "--name", self.service, *self.run_options, image, *self.command]


class Start(Struct, frozen=True, forbid_unknown_fields=True):
    """How a switch behaves; times in seconds."""

    allow: tuple[str, ...]
    timeout: Seconds = 60
    settle: Seconds = 3
    keep: Annotated[int, Meta(ge=0)] = 5
    rehearse: bool = True
    volumes: tuple[Folder, ...] = ()
    env_files: tuple[File, ...] = ()
    rehearsal_network: Annotated[str, Meta(pattern=NETWORK)] = "none"
    hold: bool = True
    drain: Annotated[float, Meta(ge=0, le=86400)] = 0


class Weights(Struct, frozen=True, forbid_unknown_fields=True):
    """The HTTP server of the pretrained weights; `image` is "" for the base's, `command` empty for Python's server."""

    service: Annotated[str, Meta(pattern=CONTAINER)] = "cauchy_weights"
    port: Annotated[int, Meta(ge=1, le=65535)] = 28889
    image: Annotated[str, Meta(pattern=f"{REFERENCE}|^$")] = ""
    command: tuple[str, ...] = ()


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All that a site would change."""

    vendor: str
    maintainer: str
    url: str
    description: str
    series: Annotated[str, Meta(pattern=SERIES, max_length=40)]
    source: str
    data: Folder
    base: Base
    frames: Annotated[dict[str, Frame], Meta(min_length=1)]
    start: Start
    weights: Weights = Weights()
    registry: Annotated[str, Meta(pattern=f"{REPOSITORY}|^$")] = ""

    def path(self, relative: str) -> Path:
        """A path from the settings, made absolute: relative ones start at the project's top folder."""
        try:
            return ROOT / Path(relative).expanduser()
        except RuntimeError:
            raise Exit(f"{relative}, which the settings name, is the home folder of nobody here.", code=2) from None

    def key(self, frame: Frame) -> str:
        """The name of a frame under stack.frames."""
        return next(key for key, one in self.frames.items() if one == frame)

    def in_registry(self, frame: Frame) -> str:
        """What docker calls a frame's images in the registry; "" where neither a setting nor their name says which."""
        if where := self.registry.rstrip("/"):
            return repository_of(f"{where}/{frame.image}")
        return frame.image if full_reference(frame.image)[0] == frame.image else ""

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
