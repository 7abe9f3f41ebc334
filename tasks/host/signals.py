"""Signals that ask a run to end: what they do, and how they are held back while something must not be torn in two."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SOON = 0.01  # seconds
ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt(number: int, frame: FrameType | None) -> None:
    """A signal that asks to end becomes what Ctrl-C is in Python; its number tells it from one.

    It comes again in a moment where nobody would hear it.
    """
    if unheard(frame):
        signal.signal(signal.SIGALRM, lambda alarm, now: interrupt(number, now))
        signal.setitimer(signal.ITIMER_REAL, SOON)
        return
    raise KeyboardInterrupt(*([] if number == signal.SIGINT else [number]))


def unheard(frame: FrameType | None) -> bool:
    """Whether Python is freeing an object, and drops whatever is raised meanwhile."""
    while frame:
        code = frame.f_code
        if code.co_name == "__del__" or code.co_filename.endswith(("/weakref.py", "/_weakrefset.py")):
            return True
        frame = frame.f_back
    return False


@contextmanager
def as_interrupts() -> Iterator[None]:
    """Make the other signals that ask to end what Ctrl-C is: a task that changes something undoes it for them too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: found for number in ASKING if (found := signal.getsignal(number)) in usual}  # nohup's stays
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


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
