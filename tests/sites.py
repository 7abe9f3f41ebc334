"""A team's site for tests: a framework in git, settings, and `inv` typed as people type it."""

import atexit
import functools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any

from engines import PrivateEngine
from forks import Forked
from projects import IDENTITY, ROOT, ended, fetch, files, shared
from ruamel.yaml import YAML

__all__ = ["IDENTITY", "ROOT", "WIDE", "Site", "buildkit", "free_port"]

WIDE = 60  # seconds that a version is given to become healthy: as many as the slowest machine takes
SETTLE = 0.01  # seconds; each look at a version that settles costs a process in its container
# busybox as the whole framework: an HTTP server with a health check, which ends at once when told to.
DOCKERFILE = """ARG BASE=tests/base:latest
FROM ${BASE}
ARG REPOSITORY TAG DATE VERSION URL COMMIT BRANCH VENDOR PROJECT COMMAND PORT
ENV PORT=${PORT}
HEALTHCHECK --interval=1h --timeout=2s CMD wget -q -O /dev/null http://127.0.0.1:$PORT/index.html
COPY . /srv
LABEL org.label-schema.name="${REPOSITORY}" org.label-schema.vcs-ref="${COMMIT}" \\
      org.label-schema.vcs-branch="${BRANCH}" org.label-schema.docker.cmd="${COMMAND}"
"""
DOCKERFILE_BASE = """ARG PARENT
FROM ${PARENT}
COPY vendor /opt/vendor
"""


PER_WORKER = 4500  # ports
FIRST = 10_000 + PER_WORKER * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 5)
PORTS = cycle(FIRST + (os.getpid() + number) % PER_WORKER for number in range(PER_WORKER))  # a second run has others


class Site:
    """A framework's git repository and a settings file, with `inv` to type there.

    Images are `tests/base` and `tests/visdom`; the service is called `tests_service`. `port` is free on this host.
    """

    def __init__(self, engine: PrivateEngine, parent: str, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.root = shared().root
        self.port = free_port()
        self.source = folder / "framework"
        self.file = folder / "site.yaml"
        self.environment = {**os.environ, "DOCKER_HOST": engine.host, **IDENTITY}
        self.environment.pop("DOCKER_CONTEXT", None)
        self.dockerfile = folder / "Dockerfile"
        self.dockerfile.write_text(DOCKERFILE)
        (folder / "Dockerfile.base").write_text(DOCKERFILE_BASE)
        self.settings: dict[str, Any] = {
            "source": str(self.source),
            "data": str(folder / "data"),
            "base": {
                "image": "tests/base",
                "parent": parent,
                "dockerfile": str(folder / "Dockerfile.base"),
                "build_options": ["--network", "host"],
            },
            "frames": {
                "visdom": {
                    "image": "tests/visdom",
                    "dockerfile": str(self.dockerfile),
                    "service": "tests_service",
                    "port": self.port,
                    "run_options": ["--network", "host", "--init"],
                    "command": ["httpd", "-f", "-p", str(self.port), "-h", "/srv"],
                    "build_options": ["--network", "host"],
                }
            },
            "start": {"timeout": WIDE, "settle": SETTLE},
        }
        self.save()
        shutil.copytree(first_commit(), self.source, symlinks=True)

    @property
    def frame(self) -> dict[str, Any]:
        """The settings of the one frame; call `save` after a change."""
        found: dict[str, Any] = self.settings["frames"]["visdom"]
        return found

    def own_project(self) -> None:
        """Go on with a copy of the project, whose pins, Dockerfiles and .build are this site's own."""
        self.root = self.folder / "project"
        fetch()
        files(self.root, linked=True)

    def save(self) -> None:
        """Write the settings file."""
        with open(self.file, "w") as file:
            YAML().dump({"stack": self.settings}, file)

    def set(self, **start: Any) -> None:
        """Change settings under `start:` and save them."""
        self.settings["start"].update(start)
        self.save()

    def git(self, *arguments: str, where: Path | None = None) -> str:
        """git in the source."""
        done = subprocess.run(
            ["git", "-C", str(where or self.source), *arguments], env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, name: str = "index.html", text: str = "another\n") -> str:
        """Write a file, commit it, and return the commit's full id."""
        (self.source / name).parent.mkdir(parents=True, exist_ok=True)
        (self.source / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"{name}: {text.strip()[:40]}")
        return self.git("rev-parse", "HEAD")

    def command(self, *arguments: str) -> list[str]:
        """`inv` with this site's settings, as an argument list for a new interpreter."""
        return [sys.executable, "-I", *self.script(*arguments)]

    def script(self, *arguments: str) -> list[str]:
        """The same, less the interpreter."""
        return [str(self.root / "tasks/program/program.py"), "-f", str(self.file), *arguments]

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], together: bool = False) -> Forked:
        """Type `inv …` without a terminal, in a session of its own, and do not wait for its end.

        Args:
            environment: added to the site's.
            together: whether what goes to stderr comes out of stdout too.
        """
        return shared().start(
            self.script(*arguments), {**self.environment, **environment}, self.folder, together=together
        )

    def inv(self, *arguments: str, code: int = 0, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Type `inv …` without a terminal; the exit code must be `code`, and a traceback is never an answer."""
        running = self.start(arguments, environment)
        stdout, stderr = running.communicate()
        return ended(subprocess.CompletedProcess(["inv", *arguments], running.wait(), stdout, stderr), code)

    def docker(self, *arguments: str, check: bool = True) -> str:
        """What the docker client prints."""
        return self.engine.docker(*arguments, check=check).stdout.strip()

    def label(self, reference: str, key: str) -> str:
        """One label of an image."""
        return self.docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{key}"}}}}', reference)

    def answer(self, timeout: float = 2) -> str:
        """What the service says over HTTP; "" when it does not answer in this time, in seconds."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
                connection.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
                reply = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError:
            return ""
        return reply.decode().partition("\r\n\r\n")[2].strip()

    def running(self) -> dict[str, str]:
        """The running containers: name to image."""
        return {row["Names"][0][1:]: row["Image"] for row in self.engine.request("GET", "/containers/json")}


@functools.cache
def first_commit() -> Path:
    """A framework's repository with one commit, made once: each site's is a copy, which takes no process."""
    folder = Path(tempfile.mkdtemp(prefix="inv-s-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "index.html").write_text("version one\n")
    for words in (
        ["init", "--quiet", "--template=", "--initial-branch", "main"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "index.html: version one"],
    ):
        subprocess.run(["git", *words], cwd=folder, env={**os.environ, **IDENTITY}, check=True)
    return folder


def buildkit(site: Site) -> dict[str, str]:
    """The environment in which this machine's client builds with BuildKit.

    Debian 12's client has it built in. A newer one needs the plugin buildx; without it, the build fails and says so.
    """
    client = Path("/usr/bin/docker")
    if client.exists() and " 20.10." in subprocess.check_output([client, "--version"], text=True):
        (site.folder / "bin").mkdir(exist_ok=True)
        (site.folder / "bin/docker").symlink_to(client)
    return {"DOCKER_BUILDKIT": "1", "PATH": f"{site.folder / 'bin'}:{os.environ['PATH']}"}


def free_port() -> int:
    """A TCP port that nothing listens on, and that nobody else gets while this test has it.

    Each worker has ports of its own, below those that the kernel gives away: that one may be given to the next who asks
    while a test's service is stopped.
    """
    for number in PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", number))
            return number
    raise AssertionError("No port is free.")
