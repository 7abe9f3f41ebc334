"""The HTTP server of the pretrained weights: a container beside the services, which the engine itself keeps up.

It sees `<data>/pretrained_models` and nothing else, read-only.
"""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from invoke import Context, Exit
from msgspec import Struct

from ..engine import commands, label
from ..engine.engine import Engine, current_engine
from ..engine.records import Container
from ..host.saying import say
from ..host.shell import survive
from ..settings.model import Settings
from ..settings.this_run import load_settings
from . import acts
from .beside import launch
from .data_folders import no_folder
from .service import act

FOLDER = "pretrained_models"  # below the data directory
INSIDE = f"/{FOLDER}"


class Weights(Struct, frozen=True):
    """The weights' server of one engine, in one run of `inv`."""

    c: Context
    engine: Engine
    settings: Settings

    @classmethod
    def of(cls, c: Context) -> "Weights":
        return cls(c, current_engine(), load_settings(c))

    @property
    def name(self) -> str:
        return self.settings.weights.service

    @property
    def aside(self) -> str:
        """The name of the former server while another one is tried."""
        return f"{self.name}.former"

    @property
    def folder(self) -> Path:
        return Path(self.settings.data) / FOLDER

    @property
    def image(self) -> str:
        return self.settings.weights.image or f"{self.settings.base.image}:latest"

    @property
    def command(self) -> Sequence[str]:
        number = str(self.settings.weights.port)
        return self.settings.weights.command or ("python3", "-m", "http.server", number)

    def options(self) -> list[str]:
        """The options of its `docker create`."""
        number = self.settings.weights.port
        return [
            *("--init", "--restart=unless-stopped", "--read-only", "--cap-drop=ALL", "--no-healthcheck"),
            *(commands.bind(self.folder, INSIDE, read_only=True), f"--workdir={INSIDE}"),
            *(f"--publish={number}:{number}", "--entrypoint="),
        ]

    @property
    def dry(self) -> bool:
        """Whether commands are only printed in this run."""
        return bool(self.c.config.run.dry)

    def do(self, command: Sequence[str], failed: str) -> None:
        """Run a docker command, or print it under `--dry`; see `Service.do`."""
        act(self.c, self.engine, command, failed)

    def there(self) -> Container | None:
        """Its container, running or not.

        Raises:
            Exit: with code 1 when somebody else's container has its name.
        """
        found = self.engine.container(self.name)
        if found and label.WEIGHTS not in found.labels:
            raise Exit(
                f"The container {self.name} is not one that inv weights made. Rename it, or set stack.weights.service.",
                code=1,
            )
        return found


def serve(weights: Weights) -> None:
    """Start the server, or say that it runs; one that was made in another way, or does not run, is replaced.

    Raises:
        Exit: with code 1 when the folder or the image is not there, or it does not stay up for `start.settle` seconds;
            then the former server runs again.
    """
    if weights.engine.shares_files and (why := no_folder(weights.folder)):
        raise Exit(f"The folder {weights.folder} {why}", code=1)
    image = weights.engine.image(weights.image)
    if not image:
        raise Exit(f"There is no image {weights.image} to serve the weights with. Type: inv base", code=1)
    made = shlex.join([image.id, *weights.options(), *weights.command])
    former = as_before(weights)
    if former and former.state == "running" and former.labels[label.WEIGHTS] == made:
        say(served(weights))
        return
    labels = {label.WEIGHTS: made}
    creating = commands.create(weights.name, image.id, weights.options(), weights.command, labels)
    failed = f"{weights.image} cannot serve the weights; the lines above say why. See stack.weights.image."
    with replacing(weights, former):
        launch(weights, weights.name, creating, f"serve {weights.folder}", failed)
    if not weights.dry:
        say(served(weights))


@contextmanager
def replacing(weights: Weights, former: Container | None) -> Iterator[None]:
    """Put the former server aside while a new one is started, and bring it back as it was when that fails."""
    if former is None:
        yield
        return
    key = acts.short(former)
    weights.do(commands.rename(key, weights.aside), f"{weights.name} cannot be put aside.")
    try:
        if former.running:
            weights.do(commands.stop(key), f"{weights.name} cannot be stopped.")
        yield
    except BaseException:
        survive()
        if found := as_before(weights):
            bring_back(weights, found, former)
        raise
    weights.do(commands.remove(key, force=True), f"{weights.aside} cannot be removed.")


def bring_back(weights: Weights, found: Container, former: Container) -> None:
    """Start the former server again, if it ran."""
    if former.state == "running" and found.id == former.id:
        weights.do(commands.start(acts.short(found)), f"{weights.name} cannot be started again.")
        say(f"{weights.name} serves as before.")


def as_before(weights: Weights) -> Container | None:
    """The server's container, under its own name again where a replacement failed or was cut off."""
    found, aside = weights.there(), weights.engine.container(weights.aside)
    if not aside or label.WEIGHTS not in aside.labels:
        return found
    if found:
        weights.do(commands.remove(acts.short(found), force=True), f"{weights.name} cannot be removed.")
    weights.do(commands.rename(acts.short(aside), weights.name), f"{weights.aside} cannot be renamed.")
    return aside


def served(weights: Weights) -> str:
    """The sentence about a server that runs."""
    return f"{weights.name} serves {weights.folder} on port {weights.settings.weights.port}."


def stop(weights: Weights) -> None:
    """Stop the server and take its container away."""
    found = as_before(weights)
    if not found:
        say(f"{weights.name} does not run.")
        return
    weights.do(commands.stop(acts.short(found)), f"{weights.name} cannot be stopped.")
    weights.do(commands.remove(acts.short(found)), f"{weights.name} cannot be removed.")
    if not weights.dry:
        say(f"{weights.name} is stopped.")
