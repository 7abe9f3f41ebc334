"""How long a service's port is silent, as a client sees it."""

import socket
import threading
import time
from pathlib import Path
from types import TracebackType

EVERY = 0.002  # seconds between two attempts


class Silence:
    """Tries a TCP port again and again while the block runs, and knows the longest time without an answer.

    `milliseconds` is None when the port did not answer before, or does not at the end: then nothing was measured.
    """

    def __init__(self, host: str, port: int) -> None:
        self.address = (host, port)
        self.milliseconds: int | None = None
        self.tried = threading.Event()
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self) -> None:
        last: float | None = None
        longest = 0.0
        over = False
        while not over:
            over = self.stopped.is_set()  # and one attempt more: it tells whether the port answers at the end
            begun = time.monotonic()
            answered = answers(*self.address)
            if answered and last is not None:
                longest = max(longest, begun - last)
            if answered:
                last = begun
            self.milliseconds = round(longest * 1000) if answered and longest else None
            self.tried.set()
            time.sleep(EVERY)

    def __enter__(self) -> "Silence":
        self.thread.start()
        self.tried.wait(2)  # the first attempt belongs to the time before
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self.thread.join(2)


def stranger(port: int, containers: tuple[str, ...]) -> str:
    """Who listens on a port of this host, if it is none of these containers (by id); "" if nobody does, or one of them.

    A process that this user may not look at is believed to be one of the containers, if there are any.
    """
    import psutil

    listening = {
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    }
    for pid in listening:
        if pid is None:
            if not containers:
                return "another process"
            continue
        try:
            groups = Path(f"/proc/{pid}/cgroup").read_text()
            name = psutil.Process(pid).name()
        except (OSError, psutil.Error):
            continue  # it ended in this moment
        # docker's own forwarder listens for published ports; `docker start` tells if it is another container's.
        if name != "docker-proxy" and not any(container in groups for container in containers):
            return f"{name} (process {pid})"
    return ""


def answers(host: str, port: int, timeout: float = 0.5) -> bool:
    """Whether something accepts connections on a TCP port; `timeout` in seconds."""
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except OSError:
        return False
