"""A way to an engine that counts, slows down or cuts what goes there."""

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType

from engines import PrivateEngine


class Relay:
    """A TCP port of this host that leads to an engine.

    Args:
        cut: after so many bytes towards the engine, all connections that carry them are closed; None for never.
        pause: seconds between two pieces of 64 kB.
    """

    def __init__(self, engine: PrivateEngine, cut: int | None = None, pause: float = 0.0) -> None:
        self.path = engine.host.removeprefix("unix://")
        self.cut, self.pause = cut, pause
        self.sent = 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.host = f"tcp://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                here = self.server.accept()[0]
            except OSError:
                return
            there = socket.socket(socket.AF_UNIX)
            there.connect(self.path)
            threading.Thread(target=self.carry, args=(here, there, True), daemon=True).start()
            threading.Thread(target=self.carry, args=(there, here, False), daemon=True).start()

    def carry(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        with suppress(OSError):  # one side may hang up first
            while part := source.recv(65536):
                if up and len(part) > 2000:  # a question is shorter
                    time.sleep(self.pause)
                    if self.cut is not None and self.sent + len(part) > self.cut:
                        target.sendall(part[: self.cut - self.sent])
                        for end in (source, target):
                            end.shutdown(socket.SHUT_RDWR)
                        return
                    self.sent += len(part)
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)

    def __enter__(self) -> "Relay":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.close()
