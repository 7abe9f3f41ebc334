"""Copies of this project for tests, and commands on a machine that lacks something."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sites import IDENTITY, ROOT

PROGRAM_FILE = ROOT / "tasks/program/program.py"
TOP = ("inv", "tasks.py", "invoke.yaml", "requirements.txt", ".gitignore", ".dockerignore", "tasks", "docker", "vendor")


def copy(target: Path, installed: bool = True) -> Path:
    """Make a git repository of this project's files as they are now, with one commit.

    Args:
        installed: whether it shares the packages of the Python that runs the tests; otherwise it has none.
    """
    target.mkdir(parents=True)
    for name in TOP:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target / name)
    if installed:
        venv = target / ".venv"
        venv.mkdir()
        for name in ("bin", "lib", "pyvenv.cfg"):
            (venv / name).symlink_to(Path(sys.prefix) / name)
        shutil.copy(target / "requirements.txt", venv / "requirements.txt")
    for words in (
        ["init", "--quiet", "--initial-branch", "main"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "all"],
    ):
        subprocess.run(["git", *words], cwd=target, env={**os.environ, **IDENTITY}, check=True)
    return target


def without(*paths: str | None) -> list[str]:
    """The beginning of a command that finds none of these programs, wherever they are; nothing else is changed."""
    hide = "".join(f"mount --bind /dev/null {shlex.quote(path)} && " for path in paths if path)
    return ["unshare", "--mount", "sh", "-c", f'{hide}exec "$@"', "sh"]


def as_nobody() -> list[str]:
    """The beginning of a command that is not root, but may read what root may."""
    return ["unshare", "--user"]


def run(argv: Sequence[object], code: int = 0, **arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run a command without a terminal. Its exit code must be `code`, and a traceback is never an answer.

    Args:
        arguments: subprocess.run's, such as `cwd` and `env`; `env` is added to this process's.
    """
    environment = {**os.environ, **arguments.pop("env", {})}  # type: ignore[dict-item]
    done = subprocess.run(
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        **arguments,
    )  # type: ignore[call-overload]
    assert done.returncode == code, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done  # type: ignore[no-any-return]


def inv(
    *arguments: str | Path, code: int = 0, cwd: Path | None = None, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Type `inv …` in this project, with no Docker Engine anywhere."""
    environment = {"DOCKER_HOST": "tcp://127.0.0.1:1", **environment}
    return run([sys.executable, "-I", PROGRAM_FILE, *arguments], code=code, cwd=cwd or "/", env=environment)
