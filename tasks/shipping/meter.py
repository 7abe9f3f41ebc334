"""What goes to one host, counted on its way."""

import time
from collections.abc import Callable
from typing import IO

from .processes import Client


class Meter:
    """What was sent to one host, and what is left out (at first as far as it is known), in bytes.

    `tell` is called after each piece, and once all is written (`fed`).
    """

    def __init__(self, tell: Callable[["Meter"], None] = lambda meter: None, left: int = 0) -> None:
        self.tell = tell
        self.sent = 0
        self.left = left
        self.before = 0  # what an attempt sent that was given up
        self.begun = time.monotonic()
        self.ended = 0.0
        self.fed = False

    def begin(self) -> None:
        self.before = self.sent
        self.begun, self.ended, self.fed = time.monotonic(), 0.0, False

    def add(self, count: int) -> None:
        self.sent += count
        self.tell(self)

    def complete(self) -> None:
        """All is written: the host unpacks now."""
        self.fed = True
        self.tell(self)

    def leave(self, count: int) -> None:
        """All is sent, and so much was left out."""
        self.left = count
        self.ended = time.monotonic()

    @property
    def speed(self) -> int:
        """Bytes a second."""
        return round((self.sent - self.before) / max(self.seconds, 0.001))

    @property
    def seconds(self) -> float:
        """Since the first byte, up to the last one."""
        return (self.ended or time.monotonic()) - self.begun


class Counted:
    """Where an archive is written to, with a count of what is.

    Once that is closed or broken, what comes is dropped: tarfile's last words, when it is cleared away.
    """

    def __init__(self, target: "IO[bytes] | Client", meter: Meter) -> None:
        self.target = target
        self.meter = meter
        self.broken = False

    def write(self, content: bytes) -> int:
        if not (self.broken or self.closed):
            try:
                self.target.write(content)
            except OSError:
                self.broken = True
                raise
            self.meter.add(len(content))
        return len(content)

    @property
    def closed(self) -> bool:
        return (self.target.pipe if isinstance(self.target, Client) else self.target).closed
