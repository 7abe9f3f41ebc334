"""Two docker clients and what lies between them: `docker save` here, `docker load` there, and nothing on the disk.

Not by Invoke's `run`, which would keep in memory all that passes through.
"""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from invoke import Exit

PATIENCE = 5  # seconds for a client to end when it was told to
GRACE = 15  # seconds for `docker load` to end once all was written


class Stopped(Exit):
    """The person said stop; exit code 130."""

    def __init__(self) -> None:
        super().__init__("Stopped.", code=130)


class Client:
    """A docker client that runs, with one end of a pipe. What it says goes to a file, so that nobody waits for it.

    It has a session of its own, so that Ctrl-C does not end it before this program has decided what to do.
    `fed` says that all was written: what is under way to the engine cannot be called back then.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str | None], feeds: bool) -> None:
        self.said = tempfile.TemporaryFile()  # noqa: SIM115
        variables = {key: value for key, value in {**os.environ, **env}.items() if value is not None}
        streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": self.said}
        if feeds:
            streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
        self.fed = False
        self.process = subprocess.Popen(argv, env=variables, stderr=self.said, start_new_session=True, **streams)

    @property
    def pipe(self) -> IO[bytes]:
        found = self.process.stdin or self.process.stdout
        assert found
        return found

    def tell(self) -> None:
        """Tell it to end, if it still runs."""
        with suppress(OSError):
            self.process.terminate()

    def end(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        with suppress(OSError):  # what was not sent stays unsent
            self.pipe.close()

    def words(self) -> str:
        """The last line that it said."""
        self.said.seek(0)
        lines = self.said.read()[-4000:].decode(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("Error response from daemon: ") if lines else ""


class Clients:
    """All docker clients of a run, so that an interrupt ends every one of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running: list[Client] = []
        self.stopped = False

    def start(self, argv: Sequence[str], env: Mapping[str, str | None], feeds: bool = False) -> Client:
        """Start one. `feeds`: whether it is read from, and not written to.

        Raises:
            Stopped: when the run was told to end.
            Exit: with code 1 when there is no docker client.
        """
        with self.lock:
            self.check()
            try:
                client = Client(argv, env, feeds)
            except FileNotFoundError:
                what = "There is no docker client on this machine. Type: inv engine, which brings one."
                raise Exit(what, code=1) from None
            self.running.append(client)
            return client

    def end(self, client: Client) -> None:
        client.end()
        with self.lock:
            self.running.remove(client)

    def stop(self) -> None:
        """End all, and let no other begin.

        One to which all was written is waited for: killed, it would leave an image that appears after all was undone.
        """
        with self.lock:
            self.stopped = True
            running = [*self.running]
        for client in running:
            if not client.fed:
                client.tell()
        until = time.monotonic() + GRACE
        for client in running:
            with suppress(subprocess.TimeoutExpired):
                client.process.wait(max(until - time.monotonic(), 0))
            client.tell()

    def check(self) -> None:
        """Raises Stopped when the run was told to end."""
        if self.stopped:
            raise Stopped


class Meter:
    """What was sent to one host, and what is left out (at first as far as it is known), in bytes.

    `tell` is called after each piece, and once all is written (`fed`).
    """

    def __init__(self, tell: Callable[["Meter"], None] = lambda meter: None, left: int = 0) -> None:
        self.tell = tell
        self.sent = 0
        self.left = left
        self.begun = time.monotonic()
        self.ended = 0.0
        self.fed = False

    def begin(self) -> None:
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
    def seconds(self) -> float:
        """Since the first byte, up to the last one."""
        return (self.ended or time.monotonic()) - self.begun


class Counted:
    """A pipe that counts what is written into it.

    Once it is closed or broken, what comes is dropped: tarfile's last words, when it is cleared away.
    """

    def __init__(self, pipe: IO[bytes], meter: Meter) -> None:
        self.pipe = pipe
        self.meter = meter
        self.broken = False

    def write(self, content: bytes) -> int:
        if not (self.broken or self.pipe.closed):
            try:
                self.pipe.write(content)
            except OSError:
                self.broken = True
                raise
            self.meter.add(len(content))
        return len(content)
