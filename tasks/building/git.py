"""Asking git about one repository: in English, without writing into it, and of what its commits themselves hold."""

import re
import shlex
from pathlib import Path

from invoke import Context, Exit, Result

from ..host.git_environment import OF_ANOTHER_REPOSITORY
from ..host.shell import ask
from ..host.text import brief

PLAIN: dict[str, str | None] = {
    **dict.fromkeys(OF_ANOTHER_REPOSITORY),
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",  # `git status` likes to write into the index
    # A commit's id stands for its own content, and for nothing that `git replace` or a graft puts in its place.
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": "/dev/null/none",
}


def git(c: Context, where: Path, *arguments: str, env: dict[str, str] | None = None) -> str | None:
    """What `git -C where arguments…` prints, without the last newline; None if it fails."""
    result = asked(c, where, *arguments, env=env)
    return printed(result) if result.ok else None


def answer(c: Context, where: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    """The same of a question that has an answer.

    Raises:
        Exit: with code 1 and git's own reason.
    """
    result = asked(c, where, *arguments, env=env)
    if result.ok:
        return printed(result)
    raise refusal(where, result.stderr) or Exit(
        f"git {arguments[0]} failed in {where}: {reason(result.stderr)}. "
        f"See: {shlex.join(['git', '-C', str(where), 'status'])}",
        code=1,
    )


def asked(c: Context, where: Path, *arguments: str, env: dict[str, str] | None = None) -> Result:
    """Git's answer, or its failure."""
    return ask(c, ["git", "-C", str(where), *arguments], env={**PLAIN, **(env or {})})


def printed(result: Result) -> str:
    return result.stdout.rstrip("\n")


def refusal(where: Path, stderr: str) -> Exit | None:
    """What to do where git refuses a repository that belongs to another user; None for any other failure."""
    if "dubious ownership" not in stderr:
        return None
    named = re.search("dubious ownership in repository at '(.*)'", stderr)  # it may lie above or below
    top = named[1] if named else str(where)
    way = shlex.join(["git", "config", "--global", "--add", "safe.directory", top])
    return Exit(f"git refuses {top}, which belongs to another user. Type: {way}", code=1)


def elsewhere(c: Context, where: Path) -> Exit | None:
    """What to do where a repository's own settings say that its files lie in another folder; None for any other."""
    top = next((folder for folder in (where, *where.parents) if (folder / ".git").exists()), where)
    file = top / ".git/config"  # of a submodule or another working tree, .git is no folder, and the setting git's own
    named = git(c, Path("/"), "config", "--file", str(file), "--get", "core.worktree")
    if not named or (top / ".git" / named).resolve() == top.resolve():
        return None
    way = shlex.join(["git", "config", "--file", str(file), "--unset", "core.worktree"])
    said = f"{top} has its files elsewhere, says its setting core.worktree, which is {brief(named)}"
    return Exit(f"{said}. Type: {way}", code=1)


def reason(stderr: str) -> str:
    """The line in which git says why it failed, as a part of a sentence."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    named = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    line = brief((named or lines or ["it said nothing"])[0])
    return line.removeprefix("fatal: ").removeprefix("error: ").rstrip(".")
