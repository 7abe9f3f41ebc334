"""The row of `inv --list`: what this project's tasks add to Invoke itself."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tasks.settings.model import ROOT

from .measuring import Row, interleaved, side

RUNS = 15
# What pip makes of Invoke's entry point; ./inv puts its own in that place.
INVOKE = """import sys
from invoke.main import program
sys.exit(program.run())
"""


def rows(names: set[str]) -> Iterator[Row]:
    """Measure what was asked for of "list"."""
    if "list" not in names:
        return
    with tempfile.TemporaryDirectory(prefix="inv-b-") as name:
        empty = Path(name)
        (empty / "tasks.py").write_text("from invoke import Collection\n\nns = Collection()\n")
        (empty / "invoke").write_text(INVOKE)
        old = side([str(ROOT / ".venv/bin/python"), str(empty / "invoke"), "--list"], "No tasks found", empty, code=1)
        new = side([str(ROOT / "inv"), "--list"], "fetch-vendor", empty)
        yield Row("list", "invoke --list, no tasks", "./inv --list", *interleaved(old, new, RUNS), goal=1.1)
