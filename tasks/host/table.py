"""Showing names and values, so that nothing in them can steer a terminal."""

import sys
from collections.abc import Mapping

from .text import printable

WIDE = 100_000  # columns of a pipe or a file


def show(title: str, heads: tuple[str, str], rows: Mapping[str, str]) -> None:
    """Print a table of two columns, as wide as the terminal; in a file or a pipe, no value is wrapped."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title, "bold"), title_justify="left", box=box.SIMPLE)
    for head in heads:
        table.add_column(head, overflow="fold")
    for name, value in rows.items():
        table.add_row(Text(printable(name)), Text(readable(value)))  # Text: what comes from outside is nobody's markup
    if not sys.stdout or sys.stdout.isatty():
        Console().print(table)
        return
    console = Console(width=WIDE)
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))  # rich fills up to the width


def readable(text: str) -> str:
    """A value of several lines, without anything that could steer a terminal."""
    return "\n".join(printable(line) for line in text.split("\n"))
