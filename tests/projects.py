"""Copies of this project for tests, and commands on a machine that lacks something."""

import atexit
import functools
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from forks import Server

ROOT = Path(__file__).resolve().parents[1]
IDENTITY = {
    "GIT_AUTHOR_NAME": "Tester",
    "GIT_AUTHOR_EMAIL": "t@example.com",
    "GIT_COMMITTER_NAME": "Tester",
    "GIT_COMMITTER_EMAIL": "t@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
}
PROGRAM_FILE = ROOT / "tasks/program/program.py"
TOP = ("inv", "tasks.py", "invoke.yaml", "requirements.txt", ".gitignore", ".dockerignore", "tasks", "docker", "vendor")


@functools.cache
def shared() -> Server:
    """What types `inv` in a copy of the project that all tests of this process share, so that none writes into ROOT."""
    folder = Path(tempfile.mkdtemp(prefix="inv-p-")).resolve()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    files(folder / "project", ROOT)
    install(folder / "project")
    server = Server(folder / "project")
    atexit.register(server.close)
    return server


@functools.cache
def fetch() -> None:
    """Have what vendor.yaml names in the shared copy, for those that are made from it."""
    inv("fetch-vendor")


def files(
    target: Path, origin: Path | None = None, compiled: bool = True, vendor: bool = True, linked: bool = False
) -> None:
    """Copy this project's files as they are now.

    Args:
        origin: where they come from; by default, the shared copy.
        compiled: whether Python's compiled modules come along.
        vendor: whether the pinned libraries do.
        linked: whether the tasks' modules are those of the origin, which takes a tenth of the time: nobody may write
            into them.
    """
    origin = origin or shared().root
    target.mkdir(parents=True, exist_ok=True)
    for name in TOP:
        if name == "vendor" and not vendor:
            continue
        if (origin / name).is_dir():
            ignored = None if compiled else shutil.ignore_patterns("__pycache__")
            way = os.link if linked and name == "tasks" else shutil.copy2
            shutil.copytree(
                origin / name, target / name, ignore=ignored, symlinks=True, dirs_exist_ok=True, copy_function=way
            )
        else:
            shutil.copy2(origin / name, target / name)


def copy(target: Path, installed: bool = True) -> Path:
    """Make a git repository of this project's files as they are now, with one commit.

    Args:
        installed: whether it shares the packages of the Python that runs the tests; otherwise it has none.
    """
    files(target, compiled=installed)
    if installed:
        install(target)
    for words in (
        ["init", "--quiet", "--initial-branch", "main"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "all"],
    ):
        subprocess.run(["git", *words], cwd=target, env={**os.environ, **IDENTITY}, check=True)
    return target


def install(project: Path) -> None:
    """Let a project share the packages of the Python that runs the tests."""
    venv = project / ".venv"
    venv.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    shutil.copy(project / "requirements.txt", venv / "requirements.txt")


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
    return ended(done, code)


def ended(done: "subprocess.CompletedProcess[str]", code: int) -> "subprocess.CompletedProcess[str]":
    """What has ended, and must have with this exit code; a traceback is never an answer."""
    assert done.returncode == code, f"{done.args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def inv(
    *arguments: str | Path, code: int = 0, cwd: Path | None = None, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Type `inv …` in this project, with no Docker Engine anywhere."""
    argv = [str(shared().root / "tasks/program/program.py"), *map(str, arguments)]
    nowhere = {**os.environ, "DOCKER_HOST": "tcp://127.0.0.1:1", **environment}
    return ended(shared().run(argv, nowhere, cwd or "/"), code)
