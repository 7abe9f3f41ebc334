"""Make the project's virtual environment. Run by `inv`, with nothing but the standard library."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

OLDEST = (3, 11)


def main(root: Path) -> None:
    """Bring `.venv` to what `requirements.txt` says; a second caller waits for the first and finds it done."""
    if sys.version_info < OLDEST:
        sys.exit(f"inv needs Python {OLDEST[0]}.{OLDEST[1]} or newer; python3 is {sys.version.split()[0]}.")
    venv, wanted = root / ".venv", root / "requirements.txt"
    refuse_unreachable(venv)
    try:
        with open(root / ".venv.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not up_to_date(venv, wanted):
                print("Installing what the tasks need into .venv (once) …", file=sys.stderr)
                make(venv, lock)
                fill(venv, wanted, lock)
    except OSError as error:
        sys.exit(f"Cannot write {venv}: {error.strerror}. Make {root} writable, then type the same again.")
    except KeyboardInterrupt:
        sys.exit(130)


def refuse_unreachable(venv: Path) -> None:
    """End with a sentence when this user may not reach the Python that `venv` was made with, as one below /root."""
    python = venv / "bin/python"
    try:
        python.stat()
    except PermissionError:
        found = os.path.realpath(python)
        new = f"rm -r {venv}, then the same again."
        if not os.access(venv, os.W_OK):
            new = f"its owner has to type: rm -r {venv}; PATH=/usr/bin:/bin {venv.parent}/inv --list"
        sys.exit(f"You may not use the Python that {venv} was made with, {found}. For a new one: {new}")
    except OSError:
        pass  # there is none yet


def up_to_date(venv: Path, wanted: Path) -> bool:
    """Whether `venv` works and was filled from this very `wanted`: the copy is written last."""
    installed = venv / "requirements.txt"
    return (venv / "bin/python").exists() and installed.exists() and installed.read_bytes() == wanted.read_bytes()


def make(venv: Path, lock: IO[str]) -> None:
    """An empty environment with pip in it. What a broken or interrupted one left is thrown away."""
    if (venv / "requirements.txt").exists() and (venv / "bin/python").exists():
        return
    shutil.rmtree(venv, ignore_errors=True)
    made = call([sys.executable, "-I", "-m", "venv", str(venv)], lock)
    if made.returncode:
        shutil.rmtree(venv, ignore_errors=True)
        if "ensurepip" in made.stdout + made.stderr or "No module named venv" in made.stderr:
            sys.exit(
                "This Python cannot make virtual environments. Install the rest of it: apt-get install python3-venv"
            )
        sys.exit(f"Could not make {venv}: {telling_line(made)}")


def fill(venv: Path, wanted: Path, lock: IO[str]) -> None:
    """Install the pinned packages, each checked against its hash, and write down that it is done."""
    done, former, part = (venv / f"requirements.txt{end}" for end in ("", ".former", ".part"))
    if done.exists():
        done.replace(former)  # whoever is killed from here on leaves no sign of being done
    pip = [str(venv / "bin/python"), "-I", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    result = call([*pip, "--require-hashes", "--requirement", str(wanted)], lock)
    if result.returncode:
        if former.exists():
            former.replace(done)  # pip undoes what it could not finish
        if "connection broken by" in result.stderr:
            sys.exit(
                "The package index does not answer, so requirements.txt cannot be installed. "
                "Check the network and the index (PIP_INDEX_URL), then type the same again."
            )
        sys.exit(f"Could not install requirements.txt: {telling_line(result)}")
    for name in ("inv", "invoke"):  # whoever activates .venv gets the same `inv` as whoever types ./inv
        link = venv / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to("../../inv")
    shutil.copyfile(wanted, part)
    part.replace(done)
    former.unlink(missing_ok=True)


def call(argv: Sequence[str], lock: IO[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command. It holds the lock too: killing only this process must not let the next one in too early."""
    return subprocess.run(argv, capture_output=True, text=True, pass_fds=[lock.fileno()])


def telling_line(failed: "subprocess.CompletedProcess[str]") -> str:
    """The line of a failed command's output that says why."""
    lines = [line.strip() for line in (failed.stdout + failed.stderr).splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR")]
    return (errors or lines[-1:] or ["it said nothing"])[0]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
