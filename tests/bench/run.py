"""`inv bench`: measure this project side by side with what it replaces, and print one table.

Usage: run.py [WORDS]: only the rows whose names contain one of these words, separated by commas.
"""

import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from subprocess import CalledProcessError

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from bench import building, clients, listing, looking, rolling, shipping, starting, switching  # noqa: E402
from bench.measuring import Row  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

GROUPS = (starting, looking, switching, clients, rolling, shipping, building)
NAMES = ("list", *(name for group in GROUPS for name in group.NAMES))


def main(words: str = "") -> None:
    """Measure the rows that were asked for, and print them as they come, then as a table.

    Raises:
        SystemExit: with a sentence, when nothing is called so or something cannot be measured.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))
    names = chosen(words)
    if not names:
        raise SystemExit(f"There is no row called so. Type --rows with some of: {', '.join(NAMES)}")
    console = Console(highlight=False, soft_wrap=True)
    try:
        found = list(measured(console, names))
    except (RuntimeError, AssertionError, CalledProcessError) as error:  # no engine, or a step before a measurement
        raise SystemExit(f"This cannot be measured: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    show(console, found)


def chosen(words: str) -> set[str]:
    """The names of the rows that contain one of the words; all of them without words."""
    wanted = [word.strip() for word in words.split(",") if word.strip()]
    return {name for name in NAMES if not wanted or any(word in name for word in wanted)}


def measured(console: Console, names: set[str]) -> Iterator[Row]:
    """The rows, one after the other."""
    print(f"Measuring: {', '.join(name for name in NAMES if name in names)}.", flush=True)
    for group in (listing, *GROUPS):
        for row in group.rows(names):
            print(f"  {row.name}: {row.ratio:.3f}", flush=True)
            yield row


def show(console: Console, rows: Sequence[Row]) -> None:
    """Print the table: with lines and colours on a terminal, else as plain columns."""
    titles = ("row", "old", "new", "runs", "old, s", "new, s", "new/old", "goal", "met")
    if not console.is_terminal:
        lines = [titles, *(cells(row) for row in rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
        for line in lines:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        return
    table = Table(*titles, title="New against old: medians of runs in turns")
    for row in rows:
        table.add_row(*cells(row), style="" if row.met else "red")
    console.print(table, soft_wrap=False)


def cells(row: Row) -> tuple[str, ...]:
    """A row as the table shows it; times in seconds."""
    return (
        row.name,
        row.what_old,
        row.what_new,
        str(len(row.new)),
        f"{median(row.old):.3f}{row.unit}",
        f"{median(row.new):.3f}{row.unit}",
        f"{row.ratio:.3f}",
        f"≤ {row.goal:.3g}",
        "yes" if row.met else "NO",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
