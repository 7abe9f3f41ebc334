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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from docker import APIClient
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

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
    not this run's to end. Left to itself, by a kill, it ends when nothing uses it any more.
    """
    own = shutil.which("ssh")
    if own is None:
        yield
        return
    before = os.environ.get("PATH", "")
    with tempfile.TemporaryDirectory(prefix="inv-s-", dir="/tmp") as folder:  # short: the name of a socket
        options = f"-o ControlMaster=auto -o ControlPath={folder}/%C -o ControlPersist=5"
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
