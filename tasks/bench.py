"""The task `bench`: how this compares with what it replaces."""

import sys

from invoke import Context

from . import testing
from .host import debian
from .host.shell import run
from .program.task import task
from .settings.model import ROOT


@task(help={"rows": "Only the rows whose names contain one of these words, separated by commas."})
def bench(c: Context, rows: str = "") -> None:
    """Measure this against the scripts that it replaces.

    Installs what the tests need on Debian or Ubuntu, as root, after saying so.
    """
    import shutil

    missing = dict.fromkeys(package for name, package in testing.NEEDED if debian.program(name) is None)
    if missing:
        debian.install(c, list(missing), "for the bench")
    command = [sys.executable, str(ROOT / "tests/bench/run.py"), *([rows] if rows else [])]
    terminal = {"FORCE_COLOR": "1", "COLUMNS": str(shutil.get_terminal_size().columns)}  # it would see only a pipe
    run(c, command, "The bench was not finished; the lines above say why.", env=terminal if sys.stdout.isatty() else {})
