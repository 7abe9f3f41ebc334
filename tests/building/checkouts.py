"""Real git repositories to build from; no engine is needed for them."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from invoke import Context, Exit

from tasks.building import contents
from tasks.building.release import Release

Asked = Callable[[Path], Release]  # a source's release, in the series 0.2


class Repository:
    """A git repository in a folder, and git as people type it there."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.git("init", "--quiet", "--initial-branch", "main", str(top), where=top.parent)

    def git(self, *arguments: str, where: Path | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["git", "-C", str(where or self.top), "-c", "protocol.file.allow=always", *arguments],
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.top / name).parent.mkdir(parents=True, exist_ok=True)
            (self.top / name).write_text(text)

    def commit(self, files: dict[str, str] | None = None, message: str = "one thought") -> str:
        self.write({"a.txt": "one\n"} if files is None else files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


def exported(c: Context, where: Path, target: Path, revision: str = "") -> dict[str, tuple[int, bytes]]:
    """The files that a frame would hold: name to mode and content (for a symbolic link, where it points)."""
    with contents.scratch() as folder:
        contents.contents(c, where, revision, folder, target)
    found = {}
    for path in target.rglob("*"):
        if not path.is_dir() or path.is_symlink():
            content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            found[str(path.relative_to(target))] = (path.lstat().st_mode, content)
    return found


def refusal(asked: Asked, where: Path) -> str:
    """The sentence that a source is refused with, exit code 1."""
    with pytest.raises(Exit) as caught:
        asked(where)
    assert caught.value.code == 1
    assert "\n" not in str(caught.value.message)
    return str(caught.value.message)
