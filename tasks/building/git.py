"""Asking git about one repository: in English, and without writing into it."""

from pathlib import Path

from invoke import Context

from ..host.git_environment import OF_ANOTHER_REPOSITORY
from ..host.shell import ask

# `git status` likes to write into the index.
PLAIN: dict[str, str | None] = {**dict.fromkeys(OF_ANOTHER_REPOSITORY), "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}


def git(c: Context, where: Path, *arguments: str, env: dict[str, str] | None = None) -> str | None:
    """What `git -C where arguments…` prints, without the last newline; None if it fails."""
    result = ask(c, ["git", "-C", str(where), *arguments], env={**PLAIN, **(env or {})})
    return result.stdout.rstrip("\n") if result.ok else None
