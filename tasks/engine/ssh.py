"""The docker SDK through SSH, over the same `ssh … docker system dial-stdio` as the docker CLI.

The SDK has a transport of its own for this, but one without time limits and without a socket that can be waited for:
after the first command in a container it uses a dead connection. Here each connection is one end of a socket pair, and
ssh holds the other.
"""

import os
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException, parse_headers
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from docker import APIClient
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

AHEAD = 200  # questions that are asked before the first is answered: they fit into what lies on the way
SILENCE = 15  # seconds without a byte until ssh asks whether the other side is still there; after three it ends
ANY = "unix:///ssh"  # the adapter below does not look at it


def dial(host: str) -> list[str]:
    """What reaches the engine behind `ssh://user@host:port`, as the docker CLI spells it.

    Source: https://github.com/docker/cli/blob/master/cli/connhelper/connhelper.go
    """
    url = urlsplit(host)
    user = ["-l", url.username] if url.username else []
    port = ["-p", str(url.port)] if url.port else []
    socket_there = ["--host", f"unix://{url.path}"] if url.path.strip("/") else []
    ssh = ["ssh", "-o", "ConnectTimeout=30", "-T", *user, *port, "--", url.hostname or ""]
    return [*ssh, "docker", *socket_there, "system", "dial-stdio"]


@contextmanager
def shared() -> Iterator[None]:
    """Have all that goes to one host in the block share one ssh connection, that of the docker CLI included.

    The CLI has no option for it, but it looks for `ssh` on the PATH. A connection of the user's own is not used: it is
    not this run's to end. Left to itself, by a kill, it ends when nothing uses it any more. It ends as well when the
    other side has lost its network, and would be waited for without end.
    """
    own = shutil.which("ssh")
    if own is None:
        yield
        return
    before = os.environ.get("PATH", "")
    with tempfile.TemporaryDirectory(prefix="inv-s-", dir="/tmp") as folder:  # short: the name of a socket
        alive = f"-o ServerAliveInterval={SILENCE} -o ServerAliveCountMax=3"
        options = f"-o ControlMaster=auto -o ControlPath={folder}/%C -o ControlPersist=5 {alive}"
        wrapper = Path(folder, "ssh")
        wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(own)} {options} "$@"\n')
        wrapper.chmod(0o700)
        os.environ["PATH"] = f"{folder}:{before}"
        try:
            yield
        finally:
            os.environ["PATH"] = before
            for socket_file in Path(folder).glob("[0-9a-f]*"):
                words = [own, "-o", f"ControlPath={socket_file}", "-O", "exit", "any"]
                subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True)


def adapter(host: str) -> "Adapter":
    """What brings the SDK's questions to an engine behind SSH."""
    return Adapter(dial(host))


def client(through: "Adapter", version: str) -> APIClient:
    """The SDK's client for an engine behind SSH, in a version of the API."""
    made = APIClient(base_url=ANY, version=version)
    made.mount("http+docker://", through)
    return made


def answers(host: str, targets: Sequence[str], timeout: float) -> Iterator[tuple[int, bytes]]:
    """Ask an engine behind SSH several questions, of which none waits for the answer to the one before.

    The SDK waits, and a way that takes 20 ms there and back makes 20 s of a thousand questions.

    Args:
        targets: what to get, quoted as in a URL.
        timeout: seconds without a byte.

    Returns:
        The status and the body of each answer, in the order of the questions.

    Raises:
        OSError: when nobody answers, or not in HTTP.
    """
    connection = Connection(dial(host), timeout)
    connection.connect()
    with connection.sock as here, here.makefile("rb") as said:
        for first in range(0, len(targets), AHEAD):
            some = targets[first : first + AHEAD]
            here.sendall("".join(f"GET {target} HTTP/1.1\r\nHost: docker\r\n\r\n" for target in some).encode())
            for _ in some:
                try:
                    yield answer(said)
                except (ValueError, LookupError, HTTPException):
                    raise ConnectionError("Connection aborted") from None


def answer(said: BinaryIO) -> tuple[int, bytes]:
    """The status and the body of one answer in HTTP/1.1, and nothing of the next one."""
    status = int(said.readline().split()[1])
    headers = parse_headers(said)
    if "Content-Length" in headers:
        return status, said.read(int(headers["Content-Length"]))
    parts = []
    while size := int(said.readline(), 16):
        parts.append(said.read(size))
        said.readline()
    said.readline()
    return status, b"".join(parts)


class Adapter(UnixHTTPAdapter):  # type: ignore[misc]
    """Connections for `requests`, each through an ssh of its own; all of them in one pool, to be used again."""

    def __init__(self, command: list[str]) -> None:
        super().__init__(ANY)
        self.pool = Pool(command, self.timeout, self.max_pool_size)

    def get_connection(self, url: str, proxies: object = None) -> "Pool":
        return self.pool


class Pool(UnixHTTPConnectionPool):  # type: ignore[misc]
    def __init__(self, command: list[str], timeout: float, size: int) -> None:
        super().__init__(ANY, "", timeout, maxsize=size)
        self.command = command

    def _new_conn(self) -> "Connection":
        return Connection(self.command, self.timeout)


class Connection(UnixHTTPConnection):  # type: ignore[misc]
    def __init__(self, command: list[str], timeout: Any) -> None:
        super().__init__(ANY, "", timeout)
        self.command = command

    def connect(self) -> None:
        """Start ssh. It ends when this end is closed.

        It has a session of its own, as with the CLI: Ctrl-C must not end it, because undoing needs the engine. Ignoring
        the signal would not do: on a shared connection, ssh sets a handler of its own.
        """
        here, there = socket.socketpair()
        with there:
            subprocess.Popen(self.command, stdin=there.fileno(), stdout=there.fileno(), start_new_session=True)
        here.settimeout(self.timeout)
        self.sock = here
