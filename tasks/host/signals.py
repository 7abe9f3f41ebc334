"""Signals that ask a run to end, held back while something must not be torn in two."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def held() -> Iterator[None]:
    """Hold back the first signal until the end of the block; a second one goes through at once.

    A command that one leaves in its middle goes on by itself, and its effect would come after what undoes it.

    Raises:
        KeyboardInterrupt: at the end of the block, if a signal came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def note(number: int, frame: object) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in ASKING}
    for number, handler in before.items():
        if callable(handler):  # one that ends the process at once, or that is ignored, stays as it is
            signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            raise KeyboardInterrupt
