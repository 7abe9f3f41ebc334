"""Building an image, one at a time, so that a build that fails or is killed leaves the former image."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from invoke import Context, Exit
from msgspec import Struct
from msgspec.structs import replace

from ..engine import commands, label
from ..engine.commands import Recipe
from ..engine.engine import Engine, current_engine
from ..host.files import locked
from ..host.shell import run
from ..settings.model import ROOT, Frame, Settings
from ..settings.this_run import load_settings, next_command
from .dockerfile import stamped, written

BUILDS = ROOT / ".build"  # build contexts, Dockerfiles and locks; never committed


class Build(Struct, frozen=True):
    """What every build of a run needs: the context, the engine, the settings."""

    c: Context
    engine: Engine
    settings: Settings

    @classmethod
    def of(cls, c: Context) -> "Build":
        """The builds of this run, on the engine that it talks to."""
        return cls(c, current_engine(), load_settings(c))

    @property
    def dry(self) -> bool:
        """Whether commands are only printed."""
        return bool(self.c.config.run.dry)

    def do(self, command: Sequence[str], failed: str) -> None:
        """Run a docker command, or print it under `--dry`.

        Raises:
            Failed: with code 1 and the sentence `failed`.
        """
        # An attestation would make the image an index, with another id
        # (https://docs.docker.com/build/metadata/attestations/).
        run(self.c, command, failed, env={**self.engine.environment, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"})

    def next_command(self, frame: Frame, task: str, *words: str) -> str:
        """A command to type next, for this frame and this run's settings file."""
        return next_command(self.c, frame, task, *words)


def build_image(build: Build, recipe: Recipe) -> None:
    """Build an image. Docker moves the tag only after the last step: a failed build leaves the former image.

    Raises:
        Exit: with code 1 when the build fails.
    """
    file = Path(f"{build_folder(recipe.reference.rpartition(':')[0])}.Dockerfile")
    text = stamped(recipe.dockerfile.read_bytes(), recipe.labels, recipe.options)
    failed = f"The build of {recipe.reference} failed; the lines above say why. An earlier image of that name stays."
    if text:
        with nullcontext() if build.dry else written(file, text, recipe.dockerfile):
            build.do(commands.build(replace(recipe, dockerfile=file, labels={})), failed)
        made = None if build.dry else build.engine.image(recipe.reference)
        if made is None or has_labels(made.labels, recipe.labels):
            return
        print(f"{recipe.dockerfile} swallowed the labels at its end; building again with flags.", flush=True)
    build.do(commands.build(recipe), failed)


def has_labels(found: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether an image has these labels; a build option may have given one another value, but not the inputs."""
    return wanted.keys() <= found.keys() and found.get(label.INPUTS) == wanted.get(label.INPUTS)


def build_folder(image: str) -> Path:
    """Where an image's context is put together. It depends on the name alone: `--dry` prints the same command.

    docker takes a path that .dockerignore leaves out for a regular expression, in which = means nothing.
    """
    return BUILDS / image.replace("/", "=")


@contextmanager
def one_at_a_time(build: Build, image: str) -> Iterator[None]:
    """Let one build of an image, whatever its tag, run at a time on this machine; the next one waits for it.

    Raises:
        Exit: with code 1 when the lock cannot be made, because another user made the folder.
    """
    if build.dry:
        yield
        return
    with ExitStack() as held:
        try:
            BUILDS.mkdir(exist_ok=True)
            waiting = f"Another build of {image} is running here; waiting for it."
            held.enter_context(locked(Path(f"{build_folder(image)}.lock"), waiting))
        except OSError as error:
            hint = " Build as the user who owns it, or remove it." if isinstance(error, PermissionError) else ""
            raise Exit(f"{BUILDS} cannot be used: {error.strerror}.{hint}", code=1) from None
        yield
