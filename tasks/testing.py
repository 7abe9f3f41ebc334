"""The tasks `test` and `bench`: the tests of this project, and how it compares with what it replaces."""

import os
import shlex
import sys

from invoke import Context

from .program.task import task
from .settings.root import ROOT

# What the tests use besides Python: program → Debian package.
NEEDED = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "mmdebstrap": "mmdebstrap",
    "busybox": "busybox-static",
    "sshd": "openssh-server",
    "docker-registry": "docker-registry",
    "openssl": "openssl",
    "htpasswd": "apache2-utils",
    "nft": "nftables",
    "ip": "iproute2",
    "zsh": "zsh",
    "fish": "fish",
}
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
    from .host.shell import run

    install_needed(c, "for the tests")
    words = ["--rootdir", str(ROOT), "--config-file", str(ROOT / "pyproject.toml"), *(["-k", k] if k else [])]
    words += ["--numprocesses", str(min((os.cpu_count() or 1) + 2, WORKERS)), "--dist", "worksteal"]
    # -P: modules in the folder that one stands in are none of the tests' business.
    command = [sys.executable, "-P", "-m", "pytest", str(ROOT / "tests"), *words, *shlex.split(pytest)]
    run(c, command, "Tests failed.")


@task(help={"rows": "Only the rows whose names contain one of these words, separated by commas."})
def bench(c: Context, rows: str = "") -> None:
    """Measure this against the scripts that it replaces.

    Installs what the tests need on Debian or Ubuntu, as root, after saying so.
    """
    import shutil

    from .host.shell import run

    install_needed(c, "for the bench")
    command = [sys.executable, str(ROOT / "tests/bench/run.py"), *([rows] if rows else [])]
    terminal = {"FORCE_COLOR": "1", "COLUMNS": str(shutil.get_terminal_size().columns)}  # it would see only a pipe
    run(c, command, "The bench was not finished; the lines above say why.", env=terminal if sys.stdout.isatty() else {})


def install_needed(c: Context, purpose: str) -> None:
    """Install what is missing of NEEDED. `purpose`: why, as the end of a sentence."""
    from .host import debian

    missing = dict.fromkeys(package for name, package in NEEDED.items() if debian.program(name) is None)
    if missing:
        debian.install(c, list(missing), purpose)
