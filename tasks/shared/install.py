"""Make the project's virtual environment. Run by `inv`, with nothing but the standard library."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)


def main(root: Path) -> None:
    """Bring `.venv` to what `requirements.txt` says; a second caller waits for the first and finds it done."""
    if sys.version_info < OLDEST:
        sys.exit(f"inv needs Python {OLDEST[0]}.{OLDEST[1]} or newer; python3 is {sys.version.split()[0]}.")
    venv, wanted = root / ".venv", root / "requirements.txt"
    try:
        with open(root / ".venv.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not up_to_date(venv, wanted):
                print("Installing what the tasks need into .venv (once) …", file=sys.stderr)
                make(venv)
                fill(venv, wanted)
    except OSError as error:
        sys.exit(f"Cannot write {venv}: {error.strerror}. Make {root} writable, then type the same again.")
    except KeyboardInterrupt:
        sys.exit(130)


def up_to_date(venv: Path, wanted: Path) -> bool:
    """Whether `venv` works and was filled from this very `wanted`: the copy is written last."""
    installed = venv / "requirements.txt"
    return (
        (venv / "bin/python").exists() and installed.exists() and installed.read_bytes() == wanted.read_bytes()
    )


def make(venv: Path) -> None:
    """An empty environment with pip in it. What a broken or interrupted one left is thrown away."""
    if (venv / "requirements.txt").exists() and (venv / "bin/python").exists():
        return
    shutil.rmtree(venv, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(venv)], capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(venv, ignore_errors=True)
        if "ensurepip" in made.stdout + made.stderr:
            sys.exit("This Python cannot make virtual environments. Install the rest of it: apt-get install python3-venv")
        sys.exit(f"Could not make {venv}: {last_line(made)}")


def fill(venv: Path, wanted: Path) -> None:
    """Install the pinned packages, each checked against its hash, and write down that it is done."""
    pip = [str(venv / "bin/python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--require-hashes"]
    done = subprocess.run([*pip, "--requirement", str(wanted)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(
            f"Could not install requirements.txt: {last_line(done)}\n"
            "Check the network and the package index (PIP_INDEX_URL), then type the same again."
        )
    for name in ("inv", "invoke"):  # whoever activates .venv gets the same `inv` as whoever types ./inv
        link = venv / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to("../../inv")
    part = venv / "requirements.txt.part"
    shutil.copyfile(wanted, part)
    os.replace(part, venv / "requirements.txt")


def last_line(done: "subprocess.CompletedProcess[str]") -> str:
    """The line of a failed command's output that says why."""
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it said nothing"])[0]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
