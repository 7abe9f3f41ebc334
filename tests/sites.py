"""A team's site for tests: a framework in git, settings, and `inv` typed as people type it."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from engines import PrivateEngine
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]

# busybox as the whole framework: an HTTP server with a health check, which ends at once when told to.
DOCKERFILE = """ARG BASE=tests/base:latest
FROM ${BASE}
ARG REPOSITORY TAG DATE VERSION URL COMMIT BRANCH VENDOR PROJECT COMMAND PORT
ENV PORT=${PORT}
HEALTHCHECK --interval=5s --timeout=2s CMD wget -q -O /dev/null http://127.0.0.1:$PORT/index.html
COPY . /srv
LABEL org.label-schema.name="${REPOSITORY}" org.label-schema.vcs-ref="${COMMIT}" \\
      org.label-schema.vcs-branch="${BRANCH}" org.label-schema.docker.cmd="${COMMAND}"
"""
DOCKERFILE_BASE = """ARG PARENT
FROM ${PARENT}
COPY vendor /opt/vendor
"""


class Site:
    """A framework's git repository and a settings file, with `inv` to type there.

    Images are `tests/base` and `tests/visdom`; the service is called `tests_service`. `port` is free on this host.
    """

    def __init__(self, engine: PrivateEngine, parent: str, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.root = ROOT
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
                "image": "tests/base", "parent": parent, "dockerfile": str(folder / "Dockerfile.base"),
                "build_options": ["--network", "host"],
            },
            "frames": {
                "visdom": {
                    "image": "tests/visdom", "dockerfile": str(self.dockerfile),
                    "service": "tests_service", "port": self.port,
                    "run_options": ["--network", "host", "--init"],
                    "command": ["httpd", "-f", "-p", str(self.port), "-h", "/srv"],
                    "build_options": ["--network", "host"],
                }
            },
            "start": {"timeout": 10, "settle": 0.3},
        }  # fmt: skip
        self.save()
        self.git("init", "--quiet", "--template=", "--initial-branch", "main", str(self.source), where=folder)
        self.commit("index.html", "version one\n")

    @property
    def frame(self) -> dict[str, Any]:
        """The settings of the one frame; call `save` after a change."""
        found: dict[str, Any] = self.settings["frames"]["visdom"]
        return found

    def own_project(self) -> None:
        """Go on with a copy of the project, whose pins, Dockerfiles and .build are this site's own."""
        self.root = self.folder / "project"
        for name in ("tasks", "docker", "vendor"):
            shutil.copytree(ROOT / name, self.root / name)
        for name in ("tasks.py", "invoke.yaml", ".dockerignore"):
            shutil.copy(ROOT / name, self.root / name)

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
        """`inv` with this site's settings, as an argument list."""
        return [sys.executable, "-I", str(self.root / "tasks/program/program.py"), "-f", str(self.file), *arguments]

    def inv(self, *arguments: str, code: int = 0, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Type `inv …` without a terminal; the exit code must be `code`, and a traceback is never an answer."""
        done = subprocess.run(
            self.command(*arguments), env={**self.environment, **environment}, cwd=self.folder,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == code, f"inv {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done

    def docker(self, *arguments: str, check: bool = True) -> str:
        """What the docker client prints."""
        return self.engine.docker(*arguments, check=check).stdout.strip()

    def label(self, reference: str, key: str) -> str:
        """One label of an image."""
        return self.docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{key}"}}}}', reference)

    def answer(self) -> str:
        """What the service says over HTTP; "" when it does not answer."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
                reply = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError:
            return ""
        return reply.decode().partition("\r\n\r\n")[2].strip()

    def running(self) -> dict[str, str]:
        """The running containers: name to image."""
        return {row["Names"][0][1:]: row["Image"] for row in self.engine.api.get("containers", "json")}


IDENTITY = {
    "GIT_AUTHOR_NAME": "Tester", "GIT_AUTHOR_EMAIL": "t@example.com", "GIT_COMMITTER_NAME": "Tester",
    "GIT_COMMITTER_EMAIL": "t@example.com", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
}  # fmt: skip


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
    """A TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
