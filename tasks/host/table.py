"""Showing names and values, so that nothing in them can steer a terminal."""

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from .saying import say
from .text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDE = 100_000  # columns of a pipe or a file


Line = list[tuple[str, str]]  # the cells of a drawn line, padded, each with rich's style for it


class Styled(str):
    """A value with rich's style for it, where a terminal has colours."""

    style: str

    def __new__(cls, text: str, style: str) -> "Styled":
        made = super().__new__(cls, text)
        made.style = style
        return made


def show(
    title: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Collection[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Print a table, as wide as the terminal; in a file or a pipe plain, each row whole.

    Args:
        title: a line above it; "" for none.
        heads: what stands above each column.
        rows: each has as many values as there are heads.
        right: the heads of the columns of numbers, which end at one line.
        spare: the heads of the columns that a narrow terminal does without, those first that go first; a line says so.
    """
    table = [tuple(heads), *map(tuple, rows)]
    drawn = [*aligned(table, [head in right for head in table[0]])]
    if not sys.stdout.isatty():
        print("\n".join([*([title] if title else []), *map(plain, drawn)]))
        return
    from rich.cells import cell_len
    from rich.console import Console
    from rich.text import Text

    dropped: list[str] = []
    for beyond in (*spare, ""):
        if fits := max(cell_len(plain(line)) for line in drawn) <= Console().width:
            break
        left = [place for place, head in enumerate(table[0]) if head != beyond]
        dropped += [beyond] if beyond else []
        table = [tuple(row[place] for place in left) for row in table]
        drawn = [*aligned(table, [head in right for head in table[0]])]
    if title:
        put(Text(title, "bold"))
    if fits:
        put(Text(plain(drawn[0]), "bold"))
        for line in drawn[1:]:
            coloured = any(style for _, style in line)
            put(Text("  ").join(Text(*cell) for cell in line)) if coloured else print(plain(line))
    else:
        fold(table, right)
    if dropped:
        say(f"(A wider terminal, or a pipe, shows more: {', '.join(head for head in heads if head in dropped)}.)")


def fold(table: Sequence[Sequence[str]], right: Collection[str]) -> None:
    """Print a table that is wider than the terminal, its values on several lines. Its first row are the heads."""
    from rich.table import Table
    from rich.text import Text

    heads, *rows = table
    folded = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        folded.add_column(head, overflow="fold", justify="right" if head in right else "left")
    for row in rows:
        # Text: what comes from outside is nobody's markup
        folded.add_row(*(Text(readable(value), getattr(value, "style", "")) for value in row))
    put(folded)


def plain(line: Line) -> str:
    """A line as it is printed where there are no colours."""
    return "  ".join(cell for cell, _ in line).rstrip()


def aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> Iterator[Line]:
    """Each row as a line, or as several where values have several, its columns below each other.

    Rich does the same in a millisecond a row, and folds: too long for thousands that fit.
    """
    from rich.cells import cell_len

    lines = [
        (line, [getattr(cell, "style", "") for cell in row])
        for row in rows
        for line in zip_longest(*(readable(cell).split("\n") for cell in row), fillvalue="")
    ]
    widths = [max(map(cell_len, column)) for column in zip(*(line for line, _ in lines), strict=True)]
    for line, styles in lines:
        gaps = [" " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)]
        padded = [gap + cell if end else cell + gap for cell, gap, end in zip(line, gaps, right, strict=True)]
        yield list(zip(padded, styles, strict=True))


def facts(rows: Iterable[tuple[str, str, str]]) -> None:
    """Print what is known of one thing, a line for each: what it is, its value, and rich's style for that."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value, style in rows:
        table.add_row(name, Text(readable(value), style))
    put(table)


def put(shown: "RenderableType") -> None:
    """Print what rich draws, with its colours on a terminal, as plain text of any width elsewhere."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(shown)
        return
    console = Console(width=WIDE, color_system=None)  # whatever FORCE_COLOR says: programs read this
    with console.capture() as captured:
        console.print(shown)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))  # rich fills up to the width


def readable(text: str) -> str:
    """A value of several lines, without anything that could steer a terminal."""
    return "\n".join(printable(line) for line in text.split("\n"))
