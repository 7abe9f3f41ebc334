"""What libraries are fetched from in these tests: archives, git repositories and HTTP servers, all on this machine."""

import contextlib
import hashlib
import io
import os
import re
import ssl
import subprocess
import sys
import tarfile
import textwrap
import time
import traceback
import zipfile
from base64 import b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from forks import Forked as Process
from invoke import Exit
from projects import shared

from tasks.vendoring import bring as bringing
from tasks.vendoring import manifest
from tasks.vendoring.plan import Wishes

WHEEL = "thing-1.0-py2.py3-none-any.whl"
SHA, REV = "0" * 64, "a" * 40
Files = dict[str, bytes]


class Server:
    """An HTTP server on 127.0.0.1 that serves `pages`, notes what was asked for, and can hang in the middle of one."""

    def __init__(self) -> None:
        self.pages: Files = {}
        self.asked: list[str] = []
        self.slow = ""  # this page is sent but for its last byte, until `go`
        self.go, self.started = Event(), Event()
        self.busy = 0  # so many answers that it cannot just now
        self.login = ""  # user:password, without which the answer is 401
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError):  # who asked was killed
                    outer.answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        self.asked.append(path)
        body = self.pages.get(path)
        if self.login and request.headers["Authorization"] != f"Basic {b64encode(self.login.encode()).decode()}":
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="x"')
            body = None
        elif self.busy:
            self.busy -= 1
            body = None
            request.send_response(503)
            request.send_header("Retry-After", "3600")
        else:
            request.send_response(200 if body is not None else 404)
        request.send_header("Content-Length", str(len(body or b"")))
        request.send_header("Content-Type", "text/html")
        request.end_headers()
        body = body or b""
        if path == self.slow:
            request.wfile.write(body[:-1])
            request.wfile.flush()
            self.started.set()
            self.go.wait(20)
            body = body[-1:]
        request.wfile.write(body)

    def secure(self, folder: Path) -> Path:
        """Speak TLS, with a certificate of its own; returns that."""
        key, made = folder / "key", folder / "certificate"
        request = ["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        who = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(["openssl", *request, *who, "-keyout", key, "-out", made], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made, key)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")
        return made

    def stop(self) -> None:
        self.go.set()
        self.http.shutdown()
        self.http.server_close()


def bring(vendor: Path, **wishes: object) -> None:
    """`fetch-vendor` for this folder, in this process."""
    bringing.bring(vendor, Wishes(**wishes))  # type: ignore[arg-type]


def fails(code: int, vendor: Path, **wishes: object) -> str:
    """Run, expect this exit code, and give back the sentence."""
    with pytest.raises(Exit) as caught:
        bring(vendor, **wishes)
    assert caught.value.code == code, caught.value.message
    assert caught.value.message
    return str(caught.value.message)


def pins(vendor: Path, text: str) -> None:
    (vendor / "vendor.yaml").write_text(textwrap.dedent(text))


def tree(folder: Path) -> dict[str, str]:
    """A folder's files and links, but for the manifest."""
    return {
        str(path.relative_to(folder)): f"→ {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.name != manifest.NAME and (path.is_symlink() or path.is_file())
    }


def visible(vendor: Path) -> list[str]:
    return sorted(path.name for path in vendor.iterdir() if not path.name.startswith("."))


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def zipped(files: Files) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in files.items():
            package.writestr(name, data)
    return made.getvalue()


def tarred(*members: tuple[tarfile.TarInfo, bytes], form: str = "gz") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=f"w:{form}") as package:  # type: ignore[call-overload]
        for member, data in members:
            member.size = len(data)
            package.addfile(member, io.BytesIO(data))
    return made.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, mode
    return made


def serve(server: Server, name: str, data: bytes) -> str:
    """Serve an archive; returns its pin."""
    server.pages[f"/{name}"] = data
    return f'{{url: "{server.url}/{name}", sha256: {sha(data)}}}'


def index(server: Server, data: bytes = b"a wheel", file: str = WHEEL) -> str:
    """Serve a package index with one project; returns the pin."""
    server.pages["/simple/thing/"] = (
        f'<!DOCTYPE html><a href="../../files/other-0.9.tar.gz#sha256={sha(b"other")}">other</a>\n'
        f'<a href="../../files/{file}#sha256={sha(data)}" data-requires-python="&gt;=3">{file}</a>'
    ).encode()
    server.pages[f"/files/{file}"] = data
    return f'{{pypi: "thing==1.0", sha256: {sha(data)}}}'


def index_page(server: Server, pin: str, file: str, data: bytes, fragment: str = "#sha256={}") -> str:
    """Serve a project with one file on the index; returns the pin."""
    project = re.sub("[-_.]+", "-", pin.partition("==")[0]).lower()
    link = f"../../files/{file}{fragment.format(sha(data))}"
    server.pages[f"/simple/{project}/"] = f'<a href="{link}">{file}</a>'.encode()
    server.pages[f"/files/{file}"] = data
    return f'{{pypi: "{pin}", sha256: {sha(data)}}}'


class Repository:
    """A git repository on this disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.url = f"file://{folder}"

    def git(self, *argv: str) -> str:
        who = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always"]
        return subprocess.run(
            ["git", *who, *argv], cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, files: dict[str, str]) -> str:
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a change")
        return self.git("rev-parse", "HEAD")


def inv(project: Path, *argv: str) -> Process:
    """Type `inv …` there, for what needs a process with its signals."""
    return shared().start([str(project / "tasks/program/program.py"), *argv], os.environ, project)


def done(process: Process) -> tuple[int, str, str]:
    out, err = process.communicate()
    assert "Traceback" not in err, err
    return process.wait(), out, err


class Forked:
    """A run in a process of its own that can be killed: forked from this one, so without a new interpreter."""

    def __init__(self, run: Callable[[], None], output: Path) -> None:
        self.output = output
        output.touch()
        self.pid = os.fork()
        if not self.pid:
            os._exit(self.run(run))

    def run(self, run: Callable[[], None]) -> int:
        """What the new process does; returns its exit code."""
        with self.output.open("w", buffering=1) as sys.stdout:
            try:
                run()
            except Exit as error:
                return int(error.code)
            except BaseException:
                traceback.print_exc(file=sys.stdout)
                return 99
        return 0

    def ended(self) -> int:
        """Wait for the end; the exit code, or minus the signal."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)
