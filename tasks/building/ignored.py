"""What .dockerignore leaves out of a build context, as docker reads it."""

import re
from collections.abc import Sequence
from pathlib import Path

from invoke import Exit

from ..host.saying import say
from ..host.text import brief
from .instructions import copied

ALWAYS = {".dockerignore", "Dockerfile"}  # sent to the engine whatever the patterns say
NAMED = 3  # files, at most, in one sentence


def let_through(root: Path, file: Path, excluded: Sequence[str] = ()) -> set[str]:
    """The files below a context's folder that .dockerignore lets into it, but for the excluded ones.

    Args:
        file: the Dockerfile; with BuildKit, an ignore file of its own beside it counts instead. Here either may.

    Raises:
        Exit: with code 1 for a line that is no pattern.
    """
    beside = Path(f"{file}.dockerignore")
    found: set[str] = set()
    for ignore in (root / ".dockerignore", *([beside] if beside.is_file() else [])):
        lines = ignore.read_text(errors="replace").splitlines() if ignore.is_file() else []
        patterns = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        try:
            found |= files(root, [*patterns, *excluded])
        except re.error as error:
            raise Exit(f"{ignore.name} holds a line that is no pattern: {error}.", code=1) from None
    return found


def files(root: Path, patterns: Sequence[str]) -> set[str]:
    """The files below a folder, and links, that no pattern leaves out."""
    from docker.utils.build import exclude_paths

    found = exclude_paths(str(root), [*patterns])
    return {path for path in found if (root / path).is_symlink() or (root / path).is_file()}


def tell_ignored(context: Path, file: Path, source: Path) -> None:
    """Say which files of a frame's source .dockerignore leaves out.

    Raises:
        Exit: with code 1 where nothing of it is left for a Dockerfile that copies from it.
    """
    if not copied(file):
        return
    through = let_through(context, file) - ALWAYS
    out = sorted(files(context, []) - through - ALWAYS)
    if not out:
        return
    if not through:
        said = f".dockerignore leaves out every file of {source}, so that nothing of it would be in the image"
        raise Exit(f"{said}. Change it, commit, and type the same again.", code=1)
    several = "s" * (len(out) > 1)
    named = ", ".join([*map(brief, out[:NAMED]), *(["…"] if out[NAMED:] else [])])
    what = f"{len(out)} file{several} of {source} that .dockerignore leaves out ({named})"
    say(f"Not in the image: {what}.")
