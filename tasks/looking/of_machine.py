"""What `doctor` looks at on this machine: room on the engine's disk, and the shell's completion."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..engine.facts import Facts
from ..host.shells import started_by
from ..host.text import size
from ..settings.root import ROOT
from .finding import Finding, broken, doubtful, fine
from .images import Version

LITTLE = 1_000_000_000  # bytes free, where no version says how large the next one may be
MARKS = ("inv completion", "inv' completion", "_inv_complete", "inv --print-completion-script")
# The files that a shell reads when it starts, from home or from the root.
READ = {
    "bash": (
        ".bashrc",
        ".bash_profile",
        ".profile",
        ".bash_completion",
        "/etc/bash.bashrc",
        "/etc/bash_completion.d/*",
    ),
    "zsh": (".zshrc", ".zprofile", "/etc/zsh/zshrc"),
    "fish": (".config/fish/config.fish", ".config/fish/completions/inv.fish", "/etc/fish/completions/inv.fish"),
}


def disk(facts: Facts, versions: Sequence[Version], frame: str, way: str) -> Iterator[Finding]:
    """The room for the next version of a frame: as large as its newest, of which the base is there already.

    Args:
        versions: of all frames, the newest first.
        way: what to type for more room.
    """
    try:
        free = shutil.disk_usage(facts.root).free
    except OSError as error:
        yield doubtful("disk", f"{facts.root} cannot be looked at: {error.strerror}.", None, frame)
        return
    room = f"{size(free)} free in {facts.root}"
    newest = next((one for one in versions if one.frame == frame), None)
    if newest is None:
        said = f"{room}; no version says what the next one needs"
        yield doubtful("disk", f"{said}.", way, frame) if free < LITTLE else fine("disk", said, frame)
        return
    own = newest.size if newest.own_size is None else newest.own_size
    if free < own:
        yield broken("disk", f"{room}; the next version needs about {size(own)}.", way, frame)
    elif free < newest.size:
        said = f"{room}; the next version needs about {size(own)}, and on a new base {size(newest.size)}."
        yield doubtful("disk", said, way, frame)
    else:
        yield fine(
            "disk", f"{room}; the next version needs about {size(own)}, on a new base {size(newest.size)}", frame
        )


def completion() -> Iterator[Finding]:
    """Whether the shell of the person at the keyboard completes `inv`, by the files that it reads when it starts."""
    shell = Path(os.environ.get("SHELL", "")).name
    if shell not in READ:
        yield fine("completion", "this shell has none; bash, zsh and fish do")
    elif any(marked(path) for path in files(shell)):
        yield fine("completion", f"{shell} completes tasks, flags and values")
    else:
        found = shutil.which("inv")
        ours = found and Path(found).resolve() == ROOT / "inv"  # pip's own knows the tasks in this folder alone
        way = started_by(shell, "inv" if ours else str(ROOT / "inv"))
        yield doubtful("completion", f"{shell} does not complete tasks, flags and values yet.", way)


def files(shell: str) -> Iterator[Path]:
    """The files that a shell reads when it starts, as far as they are there."""
    home = Path(os.environ.get("HOME") or "/")
    for name in READ[shell]:
        path = home / name
        yield from path.parent.glob(path.name) if path.parent.is_dir() else ()


def marked(path: Path) -> bool:
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return False
    return any(mark in text for mark in MARKS)
