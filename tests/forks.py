"""`inv` without a new interpreter for each command: a process that has imported everything forks, and is `inv` then.

What is forked is a real process, with an id, a session, signals, files and an exit code of its own; only the third of a
second is spared that Python and the imports take. Run as a script, this is the process that forks.
"""

import gc
import importlib
import json
import os
import pickle
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NoReturn

# What the tasks import when they need it: here, before the first fork. What is missing in this list is only slow.
NEEDED = """
    docker docker.transport.unixconn invoke.vendor.yaml msgspec psutil questionary requests rich.console rich.live
    rich.progress rich.table tarfile zipfile urllib.request http.client concurrent.futures.thread encodings.idna
""".split()  # noqa: SIM905


class Forked:
    """A command that runs, as `subprocess.Popen` has it. `stdout` and `stderr` are there when they are pipes."""

    def __init__(self, connection: socket.socket, output: dict[str, int]) -> None:
        self.connection = connection
        self.stdout: IO[str] | None = os.fdopen(output["stdout"]) if "stdout" in output else None
        self.stderr: IO[str] | None = os.fdopen(output["stderr"]) if "stderr" in output else None
        self.returncode: int | None = None
        self.pid = int(connection.recv(64) or b"0")
        assert self.pid, "the process that forks has ended"

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        if self.returncode is None:
            readable = selectors.DefaultSelector()
            readable.register(self.connection, selectors.EVENT_READ)
            if readable.select(0):
                self.wait()
            readable.close()
        return self.returncode

    def wait(self) -> int:
        """Wait for its end. Returns the exit code, or the negative number of the signal that ended it."""
        if self.returncode is None:
            self.returncode = int(self.connection.recv(64))
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.recv(1)  # the end: nothing of the process is left
            self.connection.close()
        return self.returncode

    def communicate(self) -> tuple[str, str]:
        """All that it says, until nobody can say anything any more, and its end."""
        said: dict[IO[str] | None, list[bytes]] = {self.stdout: [], self.stderr: []}
        with selectors.DefaultSelector() as selector:
            for file in filter(None, said):
                selector.register(file, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select():
                    part = os.read(key.fd, 65536)
                    said[key.fileobj].append(part)  # type: ignore[index]
                    if not part:
                        selector.unregister(key.fileobj)
        self.wait()
        texts = [b"".join(said[file]).decode() if file else "" for file in (self.stdout, self.stderr)]
        self.close()
        return texts[0].replace("\r\n", "\n"), texts[1].replace("\r\n", "\n")

    def close(self) -> None:
        """Close the pipes."""
        for file in filter(None, (self.stdout, self.stderr)):
            file.close()

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Server:
    """The process that forks, with the project at `root` imported. It ends with the test run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-I", __file__, str(root), str(theirs.fileno())]
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path | str, together: bool = False) -> Forked:
        """Start `python -I argv…` in a session of its own, with nothing to read.

        Args:
            argv: the script and its arguments. Another project's program.py takes the tasks from there.
            together: whether what goes to stderr comes out of stdout too.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        readers, writers = {}, {}
        for name in ("stdout",) if together else ("stdout", "stderr"):
            readers[name], writers[name] = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        files = [theirs.fileno(), nothing, writers["stdout"], writers.get("stderr", writers["stdout"])]
        job = json.dumps({"argv": [*argv], "env": dict(env), "cwd": str(cwd)})
        socket.send_fds(self.control, [job.encode()], files)
        for file in (nothing, *writers.values()):
            os.close(file)
        theirs.close()
        return Forked(ours, readers)

    def run(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path | str) -> "subprocess.CompletedProcess[str]":
        """The same, and wait for its end."""
        forked = self.start(argv, env, cwd)
        stdout, stderr = forked.communicate()
        return subprocess.CompletedProcess(argv, forked.wait(), stdout, stderr)

    def close(self) -> None:
        self.control.close()
        self.process.wait()

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


# From here on: the process that forks.


def prepare(root: Path) -> None:
    """Import what `inv` may need, and have read the project's own settings file, as each `inv` does."""
    sys.path.insert(0, str(root))
    for name in NEEDED:
        importlib.import_module(name)
    for path in sorted(root.glob("tasks/**/*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[-1] not in ("__init__", "install"):
            importlib.import_module(".".join(parts))
    remember(root / "invoke.yaml")
    sys.path.remove(str(root))
    gc.collect()
    gc.freeze()  # a collection in each child would copy all of this


def remember(file: Path) -> None:
    """Have what a YAML file says, as long as it is the same: to read it takes a quarter of the CPU of an `inv`."""
    config: Any = importlib.import_module("tasks.program.config")
    read, said, changed = config.read_yaml, pickle.dumps(config.read_yaml(file)), file.stat().st_mtime_ns

    def read_or_known(path: Path) -> Any:
        return pickle.loads(said) if path == file and path.stat().st_mtime_ns == changed else read(path)

    config.read_yaml = read_or_known


def serve(control: socket.socket) -> dict[str, Any] | None:
    """Fork for each job. Returns it in the child; None when nobody sends any more."""
    children: dict[int, int] = {}  # a file that says when a child has ended, to its process id
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is control:
                    text, files, _, _ = socket.recv_fds(control, 1 << 20, 4)
                    if not text:
                        for pid in children.values():
                            os.killpg(pid, signal.SIGKILL)
                        return None
                    pid = os.fork()
                    if not pid:
                        return {**json.loads(text), "files": files[1:]}
                    connection = socket.socket(fileno=files[0])
                    for file in files[1:]:
                        os.close(file)
                    connection.send(str(pid).encode())
                    ended = os.pidfd_open(pid)
                    children[ended] = pid
                    selector.register(ended, selectors.EVENT_READ, connection)
                elif key.fd in children:  # it has ended; its id is its own until somebody has heard of that
                    selector.unregister(key.fd)
                    pid = children.pop(key.fd)
                    os.close(key.fd)
                    info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
                    assert info
                    code = info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
                    with suppress(OSError):  # nobody may want to know
                        key.data.send(str(code).encode())
                    selector.register(key.data, selectors.EVENT_READ, pid)
                else:
                    os.waitpid(key.data, 0)
                    selector.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]


def become(job: dict[str, Any], root: Path) -> str:
    """Be the process that the job describes. Returns the script to run."""
    os.setsid()
    os.chdir(job["cwd"])
    for number, file in enumerate(job["files"]):
        os.dup2(file, number)
    os.closerange(3, 1 << 16)
    os.environ.clear()
    os.environ.update(job["env"])
    time.tzset()
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.argv = job["argv"]
    script = Path(sys.argv[0])
    if script.name == "program.py" and not script.is_relative_to(root):
        for name in [name for name in sys.modules if name.partition(".")[0] == "tasks"]:
            del sys.modules[name]
    return sys.argv[0]


def end(script: str) -> NoReturn:
    """Run the script and end as Python does, but without taking apart all that was imported."""
    code: object = 0
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as error:
        code = error.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException as error:
        traceback.print_exc()
        code = 1
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code & 255 if isinstance(code, int) else 0)


if __name__ == "__main__":
    here = Path(sys.argv[1])
    prepare(here)
    if found := serve(socket.socket(fileno=int(sys.argv[2]))):
        end(become(found, here))
