"""Showing how a wait goes on: one moving line on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def waiting(what: str) -> Iterator[Callable[[str, float], None]]:
    """A display for the time of the block.

    Returns:
        A function to tell it a state and the seconds since the start.
    """
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markup import escape

        with Console().status(escape(what)) as status:
            yield lambda state, seconds: status.update(escape(f"{what}: {state}, {seconds:.1f} s"))
        return
    said: list[str] = []

    def tell(state: str, seconds: float) -> None:
        if said[-1:] != [state]:
            said.append(state)
            print(f"{what}: {state}, {seconds:.1f} s", flush=True)

    yield tell
