"""The task `bench`: how this compares with what it replaces."""

import sys

from invoke import Context, task

from .shared.settings import ROOT
from .shared.shell import run


@task(help={"rows": "Only the rows whose names contain one of these words, separated by commas."})
def bench(c: Context, rows: str = "") -> None:
    """Measure this against the scripts that it replaces."""
    run(c, [sys.executable, str(ROOT / "tests/bench/run.py"), *([rows] if rows else [])], "The bench failed.")
