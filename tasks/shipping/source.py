"""One `docker save` for several hosts that an image goes to at a time: an engine reads the whole image for each one.

Those share one that lack the same layers: who lacks few would wait for one who lacks many, and has a slow line.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from subprocess import TimeoutExpired
from types import TracebackType

from invoke import Exit

from ..host.saying import say
from .processes import PATIENCE, Client, Clients
from .saved import PIECE

AHEAD = 16  # pieces that are kept for one who is behind
TOGETHER = 15.0  # seconds from the first that is ready: then it begins, and who comes later gets one of its own
STALLED = 30.0  # seconds in which one takes nothing, while others wait for it: then it is let go
LOOK = 0.5  # seconds


class LetGo(Exit):
    """Others could not wait any longer; what is read here is not the whole. Exit code 1."""

    def __init__(self) -> None:
        super().__init__("It took nothing for a long time.", code=1)


class Sources:
    """Every `docker save` of a run, by how many layers those have who read it. `start` starts one."""

    def __init__(self, clients: Clients, start: Callable[[], Client]) -> None:
        self.clients = clients
        self.start = start
        self.gathering: dict[int, Source] = {}
        self.lock = threading.Lock()

    def enter(self, name: str, held: int) -> "Source":
        """Where somebody will read who has so many layers, or say that they will not."""
        with self.lock:
            found = self.gathering.get(held)
            if not (found and found.expect(name)):
                found = self.gathering[held] = Source(self.clients, self.start, [name])
            return found


class Source:
    """What `docker save` writes, for several at once; the slowest of them sets the pace.

    Args:
        start: starts it.
        expected: who will read it, or say that they will not.
    """

    def __init__(self, clients: Clients, start: Callable[[], Client], expected: Iterable[str] = ()) -> None:
        self.clients = clients
        self.start = start
        self.expected = {*expected}
        self.begun = False
        self.readers: list[Reader] = []
        self.client: Client | None = None
        self.thread: threading.Thread | None = None
        self.change = threading.Condition()

    def expect(self, name: str) -> bool:
        """Wait for somebody too, unless it has begun. Returns whether it has not."""
        with self.change:
            if not self.begun:
                self.expected.add(name)
            return not self.begun

    def reader(self, name: str) -> "Reader":
        """The stream from its beginning; one of its own for who comes late.

        Raises:
            Exit: with code 1 when `docker save` cannot be started, 130 when the person said stop.
        """
        with self.change:
            if not self.begun:
                if self.client is None:
                    self.client = self.start()
                    self.thread = threading.Thread(target=self.pump, args=(self.client,), daemon=True)
                    self.thread.start()
                reader = Reader(self, self.client, name)
                self.readers.append(reader)
                self.expected.discard(name)
                self.change.notify_all()
                return reader
        return Source(self.clients, self.start).reader(name)

    def leave(self, name: str = "") -> None:
        """Somebody will not read it, or not any more. The last one ends it."""
        with self.change:
            self.expected.discard(name)
            self.change.notify_all()
            over = not self.expected and all(one.gone for one in self.readers)
            self.begun = self.begun or over  # who comes now would find it ended
        if over and self.client and self.thread:
            self.client.put_down()
            self.thread.join()

    def pump(self, client: Client) -> None:
        """Hand on what comes, until there is no more or nobody reads it."""
        until = time.monotonic() + TOGETHER
        with self.change:
            while self.expected and not self.clients.stopped and time.monotonic() < until:
                self.change.wait(LOOK)
            self.begun = True
        try:
            while (readers := [one for one in self.readers if not one.gone]) and (piece := client.read(PIECE)):
                for one in readers:
                    one.take(piece, alone=len(readers) == 1)
                    if one.late:
                        with suppress(OSError):  # nobody listens
                            say(f"{one.name} takes nothing for {STALLED:.0f} s now: the others go on without it.")
            if readers:
                with suppress(TimeoutExpired):  # its exit code tells whether that was all
                    client.process.wait(PATIENCE)
        finally:
            for one in self.readers:
                one.end()
            self.clients.end(client)


class Reader:
    """The stream as one of them reads it: a file, as far as tarfile needs one. Used by two threads."""

    def __init__(self, source: Source, client: Client, name: str) -> None:
        self.source, self.client, self.name = source, client, name
        self.pieces: deque[bytes] = deque()
        self.change = threading.Condition()
        self.complete = self.gone = self.late = False
        self.took = 0.0  # since when there is something that it has not taken

    def read(self, size: int = PIECE) -> bytes:
        """At most so many bytes; none at the end.

        Raises:
            LetGo: when it was behind for too long.
        """
        with self.change:
            self.change.wait_for(lambda: self.pieces or self.complete or self.late)
            if self.late:
                raise LetGo
            if not self.pieces:
                return b""
            piece = self.pieces.popleft()
            self.took = time.monotonic()
            if len(piece) > size:
                self.pieces.appendleft(piece[size:])
            self.change.notify_all()
            return piece[:size]

    def take(self, piece: bytes, alone: bool) -> None:
        """Keep a piece for it. Waits for room; unless it is alone, not longer than from what it took last."""
        with self.change:
            patience = None if alone else max(self.took + STALLED - time.monotonic(), 0)
            if not self.change.wait_for(lambda: self.gone or len(self.pieces) < AHEAD, patience):
                self.gone = self.late = True
            if not self.pieces:
                self.took = time.monotonic()
            if not self.gone:
                self.pieces.append(piece)
            self.change.notify_all()

    def end(self) -> None:
        """Nothing more comes."""
        with self.change:
            self.complete = True
            self.change.notify_all()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """It reads no more, so nobody waits for it."""
        with self.change:
            self.gone = True
            self.pieces.clear()
            self.change.notify_all()
        self.source.leave()
