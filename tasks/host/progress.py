"""Showing how a wait goes on: one moving line on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .text import printable


@contextmanager
def step(what: str, dry: bool = False) -> Iterator[None]:
    """A step of a story: once the block is over, a line with a mark and the seconds that it took. On a terminal alone.

    Args:
        what: what is done, in a few words.
        dry: whether nothing is done, so that nothing is told.
    """
    begun = time.monotonic()
    try:
        yield
    except BaseException:
        tell_end(what, time.monotonic() - begun, dry, good=False)
        raise
    tell_end(what, time.monotonic() - begun, dry, good=True)


def tell_end(what: str, seconds: float, dry: bool, good: bool) -> None:
    """Print the line of a step that ended well or did not."""
    if dry or not sys.stdout.isatty():
        return
    from rich.console import Console
    from rich.text import Text

    marks = ("\u2713", "\u2717") if utf_8() else ("+", "x")
    mark = Text(marks[0], "green") if good else Text(marks[1], "red")
    Console(highlight=False).print(mark, Text(printable(what)), Text(f"{seconds:.1f} s", "dim"))


def utf_8() -> bool:
    """Whether the terminal shows more than ASCII."""
    return "utf" in (sys.stdout.encoding or "").lower()


@contextmanager
def waiting(what: str) -> Iterator[Callable[[str, float], None]]:
    """A display for the time of the block.

    Returns:
        A function to tell it a state and the seconds since the start.
    """
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markup import escape

        with Console().status(escape(what), spinner="dots" if utf_8() else "line") as status:
            yield lambda state, seconds: status.update(escape(f"{what}: {state}, {seconds:.1f} s"))
        return
    said: list[str] = []

    def tell(state: str, seconds: float) -> None:
        if said[-1:] != [state]:
            said.append(state)
            print(f"{what}: {state}, {seconds:.1f} s", flush=True)

    yield tell
