"""The shared directory that survives restarts: its standard folders, and the volumes' sources."""

import errno
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Exit

from ..host.saying import say
from .service import Service

if TYPE_CHECKING:
    from ..recommended.command import Recommended

FOLDERS = ("checkpoints", "datasets", "pretrained_models", "projects")


def prepare(service: Service, command: "Recommended") -> None:
    """Make the missing standard folders if the service uses the data directory, and check its volumes' sources.

    What exists is not touched. On another host nothing can be looked at, and under `--dry` nothing is made.

    Raises:
        Exit: with code 1 when the data directory or a volume's source is missing: it may be a disk that is not mounted,
            and docker would make an empty folder of it, or fail late.
    """
    if not service.engine.shares_files or service.dry:
        return
    binds, data = command.binds(), Path(service.settings.data)
    if any(Path(bind) == data or data in Path(bind).parents for bind in binds):
        if why := no_folder(data):
            raise Exit(f"The data directory {data} {why}", code=1)
        make_folders(data)
    for bind in map(Path, binds):
        if missing(bind):
            # With a suffix it may be meant to be a file.
            way = "Bring it, then type the same again." if bind.suffix else f"Make it: {mkdir(bind)}"
            raise Exit(f"The volume's source {bind} does not exist. {way}", code=1)


def make_folders(data: Path) -> None:
    """Make the standard folders that are missing, and say so; one that cannot be made is a warning."""
    made = []
    for folder in FOLDERS:
        try:
            (data / folder).mkdir()
            made.append(folder)
        except OSError as error:
            if not (data / folder).is_dir():
                say(f"Warning: {data / folder} cannot be made: {error.strerror}.")
    if made:
        say(f"Made in {data}: {', '.join(made)}.")


def missing(path: Path) -> bool:
    """Whether nothing is there. What this user may not look at is believed to be."""
    try:
        path.stat()
    except OSError as error:
        return error.errno != errno.EACCES
    return False


def no_folder(path: Path) -> str:
    """The end of a sentence about what should be a folder, and what to type; "" where it is one, as far as one sees."""
    what, way = fault(path)
    return f"{what}. {'Make it' if missing(path) else 'See'}: {way}" if what else ""


def fault(path: Path) -> tuple[str, str]:
    """What is wrong with what should be a folder, and the command to type; ("", "") as `no_folder` has it."""
    if missing(path):
        return "does not exist", mkdir(path)
    try:
        return ("", "") if path.is_dir() else ("is no folder", shlex.join(["ls", "-l", str(path)]))
    except PermissionError:
        return "", ""


def mkdir(path: Path) -> str:
    """What to type to make a folder."""
    return shlex.join(["mkdir", "-p", str(path)])
