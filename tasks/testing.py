"""The task `test`: the tests of this project."""

import os
import shlex
import sys

from invoke import Context

from .host import debian
from .host.shell import run
from .program.task import task
from .settings.model import ROOT

# What the tests use besides Python, as (program, Debian package).
NEEDED = (
    ("dockerd", "docker.io"), ("docker", "docker.io"), ("mmdebstrap", "mmdebstrap"), ("busybox", "busybox-static"),
    ("sshd", "openssh-server"),
)  # fmt: skip

WORKERS = 4  # at most; each has a Docker Engine of its own


@task(
    help={
        "k": "Only the tests whose names match this expression, as pytest's -k.",
        "pytest": 'More arguments for pytest, such as "-x --durations=10".',
    }
)
def test(c: Context, k: str = "", pytest: str = "") -> None:
    """Run the tests on a private Docker Engine.

    Installs what they need on Debian or Ubuntu, as root, after saying so.
    """
    missing = dict.fromkeys(package for name, package in NEEDED if debian.program(name) is None)
    if missing:
        debian.install(c, list(missing), "for the tests")
    words = ["--rootdir", str(ROOT), "--config-file", str(ROOT / "pyproject.toml"), *(["-k", k] if k else [])]
    words += ["--numprocesses", str(min((os.cpu_count() or 1) + 1, WORKERS)), "--dist", "worksteal"]
    # -P: modules in the folder that one stands in are none of the tests' business.
    command = [sys.executable, "-P", "-m", "pytest", str(ROOT / "tests"), *words, *shlex.split(pytest)]
    run(c, command, "Tests failed.")
