"""Private Docker Engines for tests: beside the machine's own, touching nothing of it, and gone afterwards."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from tasks.shared.debian import program

# Takes runc's arguments under the name nvidia. Where the engine may not raise limits (many sandboxes),
# `--ulimit memlock=-1` would fail at start; so this drops the limits from the container's configuration.
NVIDIA = """#!/bin/sh
for word in "$@"; do
  [ "$before" = --bundle ] && sed -i 's/"rlimits":\\[[^]]*\\],\\{0,1\\}//' "$word/config.json"
  before=$word
done
exec runc "$@"
"""

# Holds its standard input open; when the test run ends, however it ends, the pipe closes and the engine goes too.
WATCH = """
read -r _ || true
kill -9 "$1" 2>/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$2" 2>/dev/null && break; sleep 0.2; done
find /sys/fs/cgroup -depth -type d -path "*/$3*" -exec rmdir {} + 2>/dev/null
"""


class PrivateEngine:
    """A Docker Engine of a test's own, with process and mount namespaces of its own.

    Its first process is the namespace's first: killing it ends the engine and all its containers at once. Containers and
    builds need `--network host`: the engine has no bridge, and changes no firewall rule.
    """

    def __init__(self, *arguments: str) -> None:
        if program("dockerd") is None:
            raise RuntimeError("No dockerd on this machine. Type: ./inv test, which installs docker.io, or install it.")
        if os.geteuid() != 0:
            raise RuntimeError("A private Docker Engine needs root. Type: sudo ./inv test")
        self.folder = Path(tempfile.mkdtemp(prefix="inv-e-", dir="/tmp"))  # short: a socket's path has 108 characters
        self.host = f"unix://{self.folder}/s"
        self.arguments = arguments
        nvidia = self.folder / "nvidia"
        nvidia.write_text(NVIDIA)
        nvidia.chmod(0o755)
        self.process: subprocess.Popen[bytes] | None = None
        self.watch: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start the engine (again), and wait until it answers."""
        group = self.folder.name
        dockerd = [
            program("dockerd") or "dockerd", "--host", self.host, "--data-root", f"{self.folder}/data",
            "--exec-root", f"{self.folder}/exec", "--pidfile", f"{self.folder}/pid", "--bridge=none", "--iptables=false",
            "--ip6tables=false", "--add-runtime", f"nvidia={self.folder}/nvidia", "--cgroup-parent", group, *self.arguments,
        ]  # fmt: skip
        (self.folder / "pid").unlink(missing_ok=True)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *dockerd],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.end_watch()
        self.watch = subprocess.Popen(
            ["sh", "-c", WATCH, "sh", str(self.process.pid), str(self.folder), group],
            stdin=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        for _ in range(300):
            if self.docker("version", check=False).returncode == 0:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError("The private engine does not start:\n" + (self.folder / "log").read_text()[-2000:])

    def end_watch(self) -> None:
        """Call the watcher off."""
        if self.watch:
            self.watch.kill()
            self.watch.communicate()

    def kill(self) -> None:
        """End the engine and its containers at once, as a loss of power would; `start` brings it back."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def docker(self, *arguments: str, input: str | None = None, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """The docker client against this engine."""
        done = subprocess.run(
            ["docker", *arguments], input=input, capture_output=True, text=True, env={**os.environ, "DOCKER_HOST": self.host}
        )
        assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done

    def clean(self) -> None:
        """Remove every container, and every image that a test stamped; the base may stay, for speed."""
        names = self.docker("ps", "--all", "--quiet").stdout.split()
        if names:
            self.docker("rm", "--force", "--volumes", *names)
        rows = self.docker("images", "--filter", "label=org.label-schema.name", "--format", "{{.ID}} {{.Repository}}").stdout
        stamped = {row.split()[0] for row in rows.splitlines() if row.split()[1] != "tests/base"}
        for _ in range(3):  # children go first, and docker names them only by refusing
            if stamped and self.docker("image", "rm", "--force", *stamped, check=False).returncode == 0:
                return

    def close(self) -> None:
        """End the engine and leave nothing of it."""
        assert self.watch
        self.watch.communicate()
        assert self.process
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "PrivateEngine":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
