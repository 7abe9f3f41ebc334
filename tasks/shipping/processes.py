"""Two docker clients and what lies between them: `docker save` here, `docker load` there, and nothing on the disk.

Not by Invoke's `run`, which would keep in memory all that passes through.
"""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

from invoke import Exit

from ..engine.client import Unreachable
from ..engine.engine import Engine

PATIENCE = 5  # seconds for a client to end by itself
SOON = 1  # seconds for one to end when it was told to: docker's heeds no signal while it waits for its pipe
GRACE = 15  # seconds for `docker load` to end once all was written
QUIET = 30.0  # seconds in which an engine takes and gives nothing: then it is asked whether it is there


class Stopped(Exit):
    """The person said stop; exit code 130."""

    def __init__(self) -> None:
        super().__init__("Stopped.", code=130)


class Client:
    """A docker client that runs, with one end of a pipe. What it says goes to a file, so that nobody waits for it.

    It has a session of its own, so that Ctrl-C does not end it before this program has decided what to do.
    `fed` says that all was written: what is under way to the engine cannot be called back then. `lost` is why it was
    ended: its engine answers no more. docker's client would wait for one without end.
    """

    def __init__(self, argv: Sequence[str], engine: Engine | None, env: Mapping[str, str | None], feeds: bool) -> None:
        self.said = tempfile.TemporaryFile()  # noqa: SIM115
        variables = {key: value for key, value in {**os.environ, **env}.items() if value is not None}
        streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": self.said}
        if feeds:
            streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
        self.fed = False
        self.lost = ""
        self.since = 0.0  # when it began to wait for the engine; 0 while it does not
        self.ended = threading.Event()
        self.process = subprocess.Popen(argv, env=variables, stderr=self.said, start_new_session=True, **streams)
        if engine:
            threading.Thread(target=self.watch, args=(engine,), daemon=True).start()

    @property
    def pipe(self) -> IO[bytes]:
        found = self.process.stdin or self.process.stdout
        assert found
        return found

    @contextmanager
    def waiting(self) -> Iterator[None]:
        self.since = time.monotonic()
        try:
            yield
        finally:
            self.since = 0.0

    def read(self, size: int = -1) -> bytes:
        with self.waiting():
            return self.pipe.read(size)

    def write(self, content: bytes) -> int:
        with self.waiting():
            return self.pipe.write(content)

    def finish(self) -> None:
        """Say that all was written."""
        self.fed = True
        with self.waiting():
            self.pipe.close()

    def result(self) -> int:
        """Wait for its end. Returns the exit code."""
        with self.waiting():
            return self.process.wait()

    def watch(self, engine: Engine) -> None:
        """End it when the engine neither takes nor gives anything, and does not answer either."""
        asked = 0.0
        while not self.ended.wait(QUIET / 6):
            since = self.since
            if since and time.monotonic() - max(since, asked) > QUIET:
                try:
                    engine.get("version")
                except Unreachable as error:
                    if not error.refusal and self.since == since and not self.ended.is_set():
                        self.lost = error.message or "It does not answer."
                        self.put_down()
                asked = time.monotonic()

    def tell(self) -> None:
        """Tell it to end, if it still runs."""
        with suppress(OSError):
            self.process.terminate()

    def put_down(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.tell()
            try:
                self.process.wait(SOON)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def end(self) -> None:
        """The same, and be done with it."""
        self.ended.set()
        if self.process.stdout:  # so it need not be waited for
            self.process.stdout.close()
        self.put_down()
        with suppress(OSError):  # what was not sent stays unsent
            self.pipe.close()

    def words(self) -> str:
        """The last line that it said, or how it ended. Several may ask at a time, so the place in the file stays."""
        size = os.fstat(self.said.fileno()).st_size
        said = os.pread(self.said.fileno(), 4000, max(size - 4000, 0))
        lines = said.decode(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("Error response from daemon: ") if lines else ""


class Clients:
    """All docker clients of a run, so that an interrupt ends every one of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running: list[Client] = []
        self.stopped = False
        self.lost: set[str] = set()  # hosts that answer no more

    def start(
        self, argv: Sequence[str], env: Mapping[str, str | None], feeds: bool = False, engine: Engine | None = None
    ) -> Client:
        """Start one.

        Args:
            feeds: whether it is read from, and not written to.
            engine: the one that it talks to, if it is to be ended when that answers no more.

        Raises:
            Stopped: when the run was told to end.
            Exit: with code 1 when there is no docker client.
        """
        with self.lock:
            self.check()
            try:
                client = Client(argv, engine, env, feeds)
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
            running = sorted(self.running, key=lambda one: one.fed)
        begun = time.monotonic()
        for client in running:
            if not client.fed:
                client.tell()
        for client in running:
            patience = GRACE if client.fed else SOON
            with suppress(subprocess.TimeoutExpired):
                client.process.wait(max(begun + patience - time.monotonic(), 0))
            if client.fed:
                client.put_down()
            elif client.process.poll() is None:
                client.process.kill()

    def check(self) -> None:
        """Raises Stopped when the run was told to end."""
        if self.stopped:
            raise Stopped
