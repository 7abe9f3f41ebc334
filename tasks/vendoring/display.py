"""Showing how several fetches go on: bars on a terminal, lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # rich costs 60 ms: only who fetches on a terminal pays
    from rich.progress import TaskID


class Display(Protocol):
    """Where progress is shown; called from several threads."""

    def tell(self, name: str, step: str, done: int, total: int) -> None:
        """A library is at some step, with so many bytes of so many (0: unknown)."""

    def end(self, name: str, result: str) -> None:
        """A library is done with."""


class Lines:
    """Progress as lines, for a log."""

    def tell(self, name: str, step: str, done: int, total: int) -> None:
        """Say nothing: in a log, only results count."""

    def end(self, name: str, result: str) -> None:
        sys.stdout.write(f"{name}: {result}\n")  # one write: lines of several threads do not mix
        sys.stdout.flush()


class Bars:
    """Progress as bars, for a terminal."""

    def __init__(self, names: list[str]) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        name, step = (TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[step]}"))
        self.progress = Progress(name, BarColumn(bar_width=30), step, TimeElapsedColumn())
        self.bars: dict[str, TaskID] = {
            name: self.progress.add_task(name, total=None, start=False, step="waiting") for name in names
        }

    def tell(self, name: str, step: str, done: int, total: int) -> None:
        size = f" {done / 1e6:.1f} of {total / 1e6:.1f} MB" if total else f" {done / 1e6:.1f} MB" if done else ""
        self.progress.start_task(self.bars[name])
        self.progress.update(self.bars[name], step=step + size, completed=done, total=total or None)

    def end(self, name: str, result: str) -> None:
        self.progress.update(self.bars[name], step=result, completed=1, total=1)
        self.progress.stop_task(self.bars[name])


@contextmanager
def display(names: list[str]) -> Iterator[Display]:
    """Bars on a terminal, lines elsewhere."""
    if sys.stdout.isatty():
        bars = Bars(names)
        with bars.progress:
            yield bars
    else:
        yield Lines()
