"""A terminal for tests: `inv` typed where a person could be asked."""

import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from fcntl import ioctl
from types import TracebackType

from sites import Site

DOWN, UP, ENTER = "\x1b[B", "\x1b[A", "\r"
STEERING = re.compile(r"\x1b(?:\[[0-9;?]*[a-zA-Z]|[=>78]|\][^\x07]*\x07)")
WHERE_IS_THE_CURSOR = "\x1b[6n"


class Terminal:
    """`inv …` in a terminal of 100 columns; `shown` is all that it printed, without what steers a terminal.

    Args:
        argv: another command instead.
    """

    def __init__(self, site: Site, *arguments: str, argv: Sequence[str] = (), **variables: str) -> None:
        self.ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.raw = ""
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *(argv or site.command(*arguments))],
            env={**site.environment, "TERM": "xterm", **variables},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=site.folder,
        )
        os.close(theirs)

    @property
    def shown(self) -> str:
        return STEERING.sub("", self.raw).replace("\r", "")

    def read(self) -> bool:
        """Take in what was printed, and answer as a terminal does. False when everybody has left."""
        if not select.select([self.ours], [], [], 0.1)[0]:
            return True
        try:
            part = os.read(self.ours, 65536).decode(errors="replace")
        except OSError:
            return False
        self.raw += part
        if WHERE_IS_THE_CURSOR in part:
            self.press("\x1b[1;1R")
        return bool(part)

    def until(self, *texts: str) -> str:
        """Wait until all of these are shown, and return all that is shown."""
        begun = time.monotonic()
        while not all(text in self.shown for text in texts):
            assert self.read() and time.monotonic() - begun < 120, f"{texts} never appeared: {self.shown}"
        return self.shown

    def press(self, *keys: str) -> None:
        for key in keys:
            os.write(self.ours, key.encode())
            time.sleep(0.05)

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        while self.read():
            pass
        return self.process.wait()

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.ours)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
