"""Private Docker Engines for tests: beside the machine's own, touching nothing of it, and gone afterwards."""

import io
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import quick

from tasks.engine.endpoint import Endpoint
from tasks.engine.engine import Engine
from tasks.host.debian import program

# Takes runc's arguments under the name nvidia. Where the engine may not raise limits (many sandboxes),
# `--ulimit memlock=-1` would fail at start; so this drops the limits from the container's configuration.
NVIDIA = """#!/bin/sh
for word in "$@"; do
  case $before in --bundle) file=$word/config.json ;; --process) file=$word ;; *) file= ;; esac  # of run, of exec
  [ -z "$file" ] || sed -i 's/"rlimits":\\[[^]]*\\],\\{0,1\\}//' "$file"
  before=$word
done
exec runc "$@"
"""

# Makes a bridge, or takes it away. An engine without any (`--bridge=none`) removes docker0, which is the machine's own.
BRIDGE = """
import fcntl, socket, struct, sys
ask, name = socket.socket(), sys.argv[2].encode()
def call(number, value):
    try: fcntl.ioctl(ask, number, value)
    except OSError as error: print(error, file=sys.stderr)
if sys.argv[1] == "add": call(0x89A0, name + bytes(16 - len(name)))
else:
    call(0x8914, struct.pack("16sh", name, 0))
    call(0x89A1, name + bytes(16 - len(name)))
"""

# Holds its standard input open; when the test run ends, however it ends, the pipe closes and the engine goes too.
WATCH = """
read -r _ || true
kill -9 "$1" 2>/dev/null
[ -z "$4" ] || "$5" -c "$6" del "$4" 2>/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$2" 2>/dev/null && break; sleep 0.2; done
find /sys/fs/cgroup -depth -type d -path "*/$3*" -exec rmdir {} + 2>/dev/null
"""


# A root of its own that shows all of this machine's, except /data, which is a folder of the engine; and only a loopback
# interface. Both are private to the process that runs this, and to what it starts.
ALONE = """
mount -t tmpfs tmpfs /mnt
for path in /*; do
  if [ -L "$path" ]; then cp -P "$path" /mnt
  elif [ "$path" != /mnt ] && [ -d "$path" ]; then mkdir "/mnt$path" && mount --rbind "$path" "/mnt$path"
  fi
done
mkdir -p /mnt/data /mnt/mnt && mount --bind "$1/shared" /mnt/data && shift && cd /mnt
pivot_root . mnt && umount --lazy /mnt && exec "$@"
"""
LOOPBACK_UP = "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 0x41))"


ROOM = 8 << 30  # bytes: four engines with a Debian and what is built on it

APPLETS = ("sh", "sleep", "nc", "httpd", "wget", "cat", "echo", "kill", "touch", "test", "ls", "env", "rm", "true")


def quick_folder() -> str:
    """Where engines of tests keep what they hold: in memory if there is room, since they write to disk at each step.

    Container engines mount /dev/shm small, and so that no program in it may run: then it is /tmp. Both are short: a
    socket's path has 108 characters.
    """
    memory = "/dev/shm"
    with suppress(OSError):
        found = os.statvfs(memory)
        if found.f_bavail * found.f_frsize >= ROOM and not found.f_flag & (os.ST_NOEXEC | os.ST_NODEV):
            return memory
    return "/tmp"


class Connection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class PrivateEngine:
    """A Docker Engine of a test's own, with process and mount namespaces of its own.

    Its first process is the namespace's first: killing it ends the engine and all its containers at once. Containers
    and builds need `--network host`: the engine's bridge leads nowhere, and it changes no firewall rule.

    Args:
        arguments: more of dockerd's.
        alone: with a network of its own too, in which every port is free and nothing answers, and a /data of its own,
            the folder `shared`. `inside` begins the commands that are to see these.
        hostname: the name of its host, as it says it; "" for this machine's.

    `check_every`: the seconds between docker's own health checks of the versions that are made for it. They are asked
    for once an hour, which is never: each costs a process in the container.
    """

    check_every = 3600

    def __init__(self, *arguments: str, alone: bool = False, hostname: str = "") -> None:
        if program("dockerd") is None:
            raise RuntimeError("No dockerd on this machine. Type: ./inv test, which installs docker.io, or install it.")
        if os.geteuid() != 0:
            raise RuntimeError("A private Docker Engine needs root. Type: sudo ./inv test")
        self.folder = Path(tempfile.mkdtemp(prefix="inv-e-", dir=quick_folder()))
        self.host = f"unix://{self.folder}/s"
        self.api = Engine(Endpoint(self.host))  # looks without the client, which takes five times as long
        self.arguments = arguments
        self.alone = alone
        self.hostname = hostname
        self.shared = self.folder / "shared"
        self.shared.mkdir()
        nvidia = self.folder / "nvidia"
        nvidia.write_text(NVIDIA)
        nvidia.chmod(0o755)
        (self.folder / "seccomp").write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')  # a filter costs 30 ms a start
        self.process: subprocess.Popen[bytes] | None = None
        self.watch: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start the engine (again), and wait until it answers."""
        group = self.folder.name
        bridge = "" if self.alone else group.replace("inv-e-", "inv")  # at most 15 characters
        if bridge:
            subprocess.run([sys.executable, "-c", BRIDGE, "add", bridge], capture_output=True)
        dockerd = [
            program("dockerd") or "dockerd",
            f"--host={self.host}",
            f"--data-root={self.folder}/data",
            f"--exec-root={self.folder}/exec",
            f"--pidfile={self.folder}/pid",
            f"--add-runtime=nvidia={self.folder}/nvidia",
            f"--cgroup-parent={group}",
            f"--seccomp-profile={self.folder}/seccomp",
            f"--bridge={bridge or 'none'}",
            *("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"),
            *self.arguments,
        ]
        (self.folder / "pid").unlink(missing_ok=True)
        shutil.rmtree(
            self.folder / "exec", ignore_errors=True
        )  # /run is empty after a loss of power; a stale pid misleads
        dockerd = self.within(dockerd)
        own = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        if self.alone:
            own.append("--net")
            dockerd = [
                "sh",
                "-ec",
                f"{shlex.join([sys.executable, '-c', LOOPBACK_UP])}\n{ALONE}",
                "sh",
                str(self.folder),
                *dockerd,
            ]
        if self.hostname:
            own.append("--uts")
            dockerd = ["sh", "-c", 'hostname "$1" && shift && exec "$@"', "sh", self.hostname, *dockerd]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", *own, *dockerd],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.end_watch()
        self.watch = subprocess.Popen(
            ["sh", "-c", WATCH, "sh", str(self.process.pid), str(self.folder), group, bridge, sys.executable, BRIDGE],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        for _ in range(1200):
            with suppress(OSError, HTTPException):
                self.request("GET", "/_ping")
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError("The private engine does not start:\n" + (self.folder / "log").read_text()[-2000:])

    def within(self, dockerd: list[str]) -> list[str]:
        """What starts the engine, once it has its namespaces: for engines of another system than this one."""
        return dockerd

    def inside(self) -> list[str]:
        """The beginning of a command that is to run in the engine's network, with its processes and files."""
        assert self.process
        child = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0]
        return ["nsenter", "--target", child, "--mount", "--net", "--pid", "--wd"]

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

    def docker(
        self, *arguments: str, input: str | None = None, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """A docker command against this engine, by the client where the API alone does not do."""
        if input is None and (found := quick.done(self.request, arguments)):
            return found
        done = subprocess.run(
            ["docker", *arguments],
            input=input,
            capture_output=True,
            text=True,
            env={**os.environ, "DOCKER_HOST": self.host},
        )
        assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done

    def busybox(self) -> str:
        """Make a 2 MB image that holds busybox, and return its reference."""
        found = program("busybox")
        if found is None:
            raise RuntimeError("No busybox on this machine. Type: ./inv test, which installs busybox-static.")
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(found, "bin/busybox")
            for name in APPLETS:
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
            for name in ("tmp", "data", "etc"):
                folder = tarfile.TarInfo(name)
                folder.type, folder.mode = tarfile.DIRTYPE, 0o777
                tar.addfile(folder)
        command = ["docker", "--host", self.host, "import", "-", "tiny:1"]
        subprocess.run(command, input=archive.getvalue(), check=True, capture_output=True)
        return "tiny:1"

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Ask the engine, or have it do something, without the client, whose start costs fifty times as much.

        Args:
            body: bytes as they are; anything else as JSON.

        Returns:
            What it says, read as JSON if it is that, else as bytes; a list when it says several things.

        Raises:
            AssertionError: when it refuses.
        """
        connection = Connection(self.host.removeprefix("unix://"))
        try:
            kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
            sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            connection.request(method, path, sent, {"Content-Type": kind})
            reply = connection.getresponse()
            said = reply.read()
        finally:
            connection.close()
        assert reply.status < 400, f"{method} {path}: {said.decode(errors='replace')}"
        if reply.getheader("Content-Type") != "application/json":
            return said
        documents = [json.loads(line) for line in said.splitlines()]
        return documents[0] if len(documents) == 1 else documents

    def container(
        self,
        name: str,
        image: str,
        command: Sequence[str],
        host: Mapping[str, object] | None = None,
        start: bool = True,
    ) -> str:
        """Create a container in the host's network with an init, and start it. Returns its id.

        Args:
            host: more of its HostConfig, such as `AutoRemove`.
        """
        config = {
            "Image": image,
            "Cmd": [*command],
            "HostConfig": {"NetworkMode": "host", "Init": True, **(host or {})},
        }
        found = str(self.request("POST", f"/containers/create?name={name}", config)["Id"])
        if start:
            self.request("POST", f"/containers/{found}/start")
        return found

    def remove_containers(self) -> None:
        """Remove every container."""
        for container in self.request("GET", "/containers/json?all=1"):
            with suppress(AssertionError):  # one with --rm may be gone already
                self.request("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        assert not self.request("GET", "/containers/json?all=1")

    def clean(self) -> None:
        """Remove every container, and every image that a test stamped; the base may stay, for speed."""
        self.remove_containers()
        for _ in range(3):  # children go first, and docker names them only by refusing
            filters = quote(json.dumps({"label": ["org.label-schema.name"]}))
            rows = self.request("GET", f"/images/json?filters={filters}")
            rows = [row for row in rows if not (row["RepoTags"] or ["<none>"])[0].startswith("tests/base:")]
            for row in rows:
                with suppress(AssertionError):
                    self.request("DELETE", f"/images/{row['Id']}?force=1")
            if not rows:
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
