"""The shared directory that survives restarts: its standard folders, and the volumes' sources."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Exit

from .service import Service

if TYPE_CHECKING:
    from ..recommended.command import Recommended

FOLDERS = ("checkpoints", "datasets", "pretrained_models", "projects")


def prepare(service: Service, command: "Recommended") -> None:
    """Make the missing standard folders if the service uses the data directory, and check its volumes' sources.

    What exists is not touched. On another host nothing can be looked at, and under `--dry` nothing is made.

    Raises:
        Exit: with code 1 when a volume's source is missing: docker would make an empty folder of it, or fail late.
    """
    if not service.engine.shares_files or service.dry:
        return
    binds, data = command.binds(), Path(service.settings.data)
    if any(Path(bind) == data or data in Path(bind).parents for bind in binds):
        for folder in FOLDERS:
            try:
                (data / folder).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                print(f"Warning: {data / folder} cannot be made: {error.strerror}.", flush=True)
    for bind in binds:
        if not Path(bind).exists():
            way = f"Make it: {shlex.join(['mkdir', '-p', bind])}"
            if Path(bind).suffix:  # it may be meant to be a file
                way = "Bring it, then type the same again."
            raise Exit(f"The volume's source {bind} does not exist. {way}", code=1)
