"""fetch-vendor, with real archives, git repositories and servers; needs no internet."""

import contextlib
import hashlib
import io
import os
import pty
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoke import Exit
from ruamel.yaml import YAML

from tasks import fetch_vendor as task
from tasks.vendoring import archives as unpack
from tasks.vendoring import manifest as seal
from tasks.vendoring import pins as vendored
from tasks.vendoring.pins import Refused

ROOT = Path(__file__).parents[2]
WHEEL = "thing-1.0-py2.py3-none-any.whl"
Files = dict[str, bytes]


# --- what the tests stand on ---


class Server:
    """An HTTP server on 127.0.0.1 that serves `pages`, notes what was asked for, and can hang in the middle of one."""

    def __init__(self) -> None:
        self.pages: Files = {}
        self.asked: list[str] = []
        self.slow = ""  # this page is sent but for its last byte, until `go`
        self.go, self.started = Event(), Event()
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

    def stop(self) -> None:
        self.go.set()
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    made = Server()
    monkeypatch.setenv("PIP_INDEX_URL", made.url + "/simple/")
    yield made
    made.stop()


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    (tmp_path / "vendor").mkdir()
    return tmp_path / "vendor"


def pins(vendor: Path, text: str) -> None:
    (vendor / "vendor.yaml").write_text(textwrap.dedent(text))


def fails(code: int, vendor: Path, **options: object) -> str:
    """Run, expect this exit code, and give back the sentence."""
    with pytest.raises(Exit) as caught:
        task.bring(vendor, **options)  # type: ignore[arg-type]
    assert caught.value.code == code, caught.value.message
    assert caught.value.message
    return str(caught.value.message)


def tree(folder: Path) -> dict[str, str]:
    """A folder's files and links, but for the seal."""
    return {
        str(path.relative_to(folder)): f"→ {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.name != seal.NAME and (path.is_symlink() or path.is_file())
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


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "upstream")


@pytest.fixture
def project(tmp_path: Path, vendor: Path) -> Path:
    """The real `inv` in a project tree of its own, for what needs a process."""
    for name in ("tasks.py", "invoke.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "tasks", tmp_path / "tasks", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def inv(project: Path, *argv: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-I", str(project / "tasks/program/program.py"), *argv]
    return subprocess.Popen(
        command, cwd=project, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def done(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=30)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


# --- the three kinds ---


def test_a_wheel_is_found_on_the_index_by_its_hash_and_kept_as_the_file(
    server: Server, vendor: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins(vendor, f"thing: {index(server)}")
    task.bring(vendor)
    assert tree(vendor / "thing") == {WHEEL: "a wheel"}
    assert "vendor/ is up to date (1 library)." in capsys.readouterr().out
    assert not (vendor / seal.TMP).exists()


def test_an_sdist_works_as_well(server: Server, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server, b'an sdist', 'Thing-1.0.tar.gz')}")
    task.bring(vendor)
    assert tree(vendor / "thing") == {"Thing-1.0.tar.gz": "an sdist"}


def test_a_hash_of_another_version_is_not_taken_for_the_pinned_one(server: Server, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server, file='thing-1.0.1-py3-none-any.whl')}")
    assert "thing-1.0.1-py3-none-any.whl, which is not thing==1.0" in fails(1, vendor)
    assert visible(vendor) == ["vendor.yaml"]


def test_a_file_name_from_the_index_cannot_lead_elsewhere(server: Server, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server, file='..%2f..%2fthing-1.0.tar.gz')}")
    assert "which is not thing==1.0" in fails(1, vendor)


def test_no_such_hash_on_the_index_and_no_such_project(server: Server, vendor: Path) -> None:
    index(server)
    pins(vendor, f'thing: {{pypi: "thing==1.0", sha256: {"0" * 64}}}\nno: {{pypi: "no==1.0", sha256: {"0" * 64}}}')
    said = fails(1, vendor)
    assert "thing was not fetched" in said
    assert "lists no file with the sha256 000" in said
    assert "no was not fetched" in said
    assert "404" in said


def test_pip_is_asked_for_its_index(server: Server, vendor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_INDEX_URL")
    config = vendor.parent / "pip.conf"
    config.write_text(f"[global]\nindex-url = {server.url}/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    pins(vendor, f"thing: {index(server)}")
    task.bring(vendor)
    assert tree(vendor / "thing") == {WHEEL: "a wheel"}


@pytest.mark.parametrize("form", ["zip", "", "gz", "bz2", "xz"])
def test_archives_are_unpacked_whatever_their_form(server: Server, vendor: Path, form: str) -> None:
    files = {"apex/a.txt": b"a", "apex/sub/b.txt": b"b"}
    data = (
        zipped(files) if form == "zip" else tarred(*((member(name), text) for name, text in files.items()), form=form)
    )
    pins(vendor, f"apex: {serve(server, 'whatever', data)}")
    task.bring(vendor)
    assert tree(vendor / "apex") == {"a.txt": "a", "sub/b.txt": "b"}, "one top folder is left out"


def test_an_archive_with_several_top_entries_stays_as_it_is(server: Server, vendor: Path) -> None:
    pins(vendor, f"apex: {serve(server, 'x.zip', zipped({'a/x': b'1', 'README': b'2'}))}")
    task.bring(vendor)
    assert tree(vendor / "apex") == {"a/x": "1", "README": "2"}


def test_links_and_modes_inside_an_archive_are_kept(server: Server, vendor: Path) -> None:
    data = tarred(
        (member("./top/bin/run", mode=0o4777), b"#!"),
        (member("./top/run", tarfile.SYMTYPE, "bin/../bin/run"), b""),
        (member("./top/twin", tarfile.LNKTYPE, "./top/bin/run"), b""),
        (member("./top/nothing", tarfile.SYMTYPE, "not/there"), b""),
    )
    pins(vendor, f"apex: {serve(server, 'x.tar.gz', data)}")
    task.bring(vendor)
    home = vendor / "apex"
    assert tree(home) == {"bin/run": "#!", "run": "→ bin/../bin/run", "twin": "#!", "nothing": "→ not/there"}
    assert stat.S_IMODE((home / "bin/run").stat().st_mode) == 0o755, "executable, and no setuid"


def test_a_commit_with_submodules_and_without_git(tmp_path: Path, repository: Repository, vendor: Path) -> None:
    deep = Repository(tmp_path / "deep")
    deep.commit({"deep.txt": "deep"})
    lib = Repository(tmp_path / "lib")
    lib.commit({"lib.txt": "lib"})
    lib.git("submodule", "--quiet", "add", deep.url, "deep")
    lib.commit({})
    repository.commit({"a.txt": "a"})
    repository.git("submodule", "--quiet", "add", "../lib", "lib")  # a relative URL
    rev = repository.commit({})
    lib.commit({"lib.txt": "newer"})  # the submodule's commit is no longer the tip
    repository.commit({"a.txt": "newer"})
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {rev}}}")
    task.bring(vendor)
    found = tree(vendor / "lib")
    assert found.keys() == {".gitmodules", "a.txt", "lib/.gitmodules", "lib/lib.txt", "lib/deep/deep.txt"}
    assert (found["a.txt"], found["lib/lib.txt"]) == ("a", "lib")


def test_a_folder_of_a_commit(repository: Repository, vendor: Path) -> None:
    rev = repository.commit({"vulcan/src/v.c": "v", "other": "o"})
    pins(vendor, f"vulcan: {{git: '{repository.url}', rev: {rev.upper()}, path: vulcan/src/}}")
    task.bring(vendor)
    assert tree(vendor / "vulcan") == {"v.c": "v"}


def test_a_commit_that_no_branch_holds_from_a_server_that_wants_a_branch(tmp_path: Path, vendor: Path) -> None:
    origin = Repository(tmp_path / "strict")
    rev = origin.commit({"a": "1"})
    origin.commit({"a": "2"})
    origin.git("config", "protocol.version", "0")
    (tmp_path / "gitconfig").write_text("[protocol]\nversion = 0\n")  # version 0 hands out branches only
    pins(vendor, f"lib: {{git: '{origin.url}', rev: {rev}}}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
        task.bring(vendor)
    assert tree(vendor / "lib") == {"a": "1"}


@pytest.mark.parametrize("configured", [False, True], ids=["by variable", "by git's configuration"])
def test_ssh_is_told_to_ask_nobody(
    tmp_path: Path, vendor: Path, monkeypatch: pytest.MonkeyPatch, configured: bool
) -> None:
    """The scp form, through a stand-in for ssh that runs what it is told on this machine."""
    origin = Repository(tmp_path / "served")
    rev = origin.commit({"a": "1"})
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/said\nfor last; do :; done\nexec sh -c "$last"\n')
    ssh.chmod(0o755)
    if configured:
        (tmp_path / "gitconfig").write_text(f"[core]\nsshCommand = {ssh}\n")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    else:
        monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    pins(vendor, f"lib: {{git: 'git@example.com:{origin.folder}', rev: {rev}}}")
    task.bring(vendor)
    assert tree(vendor / "lib") == {"a": "1"}
    assert "-o BatchMode=yes" in (tmp_path / "said").read_text()


# --- verified ---


def test_another_content_at_the_address_is_refused_with_both_hashes(server: Server, vendor: Path) -> None:
    pin = serve(server, "x.zip", zipped({"a": b"1"}))
    pins(vendor, f"apex: {pin}")
    server.pages["/x.zip"] = data = zipped({"a": b"evil"})
    said = fails(1, vendor)
    assert sha(data) in said
    assert pin[-65:-1] in said
    assert visible(vendor) == ["vendor.yaml"]


def test_another_wheel_under_the_name_is_refused(server: Server, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server)}")
    server.pages[f"/files/{WHEEL}"] = b"evil"
    assert sha(b"evil") in fails(1, vendor)
    assert visible(vendor) == ["vendor.yaml"]


def test_a_commit_that_is_not_there_is_named(repository: Repository, vendor: Path) -> None:
    repository.commit({"a": "1"})
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {'1' * 40}}}")
    assert f"has no usable commit {'1' * 40}" in fails(1, vendor)
    assert visible(vendor) == ["vendor.yaml"]


def test_an_annotated_tag_is_no_commit(repository: Repository, vendor: Path) -> None:
    rev = repository.commit({"a": "1"})
    repository.git("tag", "--annotate", "--message", "x", "v1")
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {repository.git('rev-parse', 'v1')}}}")
    assert f"the commit {rev}, but the pin says" in fails(1, vendor)


def test_a_server_that_is_not_there_and_one_that_breaks_off(server: Server, vendor: Path) -> None:
    pin = serve(server, "x.zip", zipped({"a": b"1"}))
    pins(vendor, f"gone: {{url: 'http://me:secret@127.0.0.1:9/x.zip?token=secret', sha256: {'0' * 64}}}\ncut: {pin}")

    def cut(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        request.wfile.write(b"half")

    server.answer = cut  # type: ignore[method-assign]
    said = fails(1, vendor)
    assert "cannot fetch http://127.0.0.1:9/x.zip: no connection" in said
    assert "broke off after 4 bytes" in said
    assert "secret" not in said


# --- never outside its folder ---

SYM, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE
OUTSIDE: dict[str, tuple[bytes, str]] = {
    "tar up": (tarred((member("a/../../x"), b"")), "a/../../x, which would land outside"),
    "tar absolute": (tarred((member("/tmp/x"), b"")), "/tmp/x, which would land outside"),
    "zip up": (zipped({"../x": b""}), "../x, which would land outside"),
    "zip absolute": (zipped({"/tmp/x": b""}), "/tmp/x, which would land outside"),
    "zip backslash": (zipped({"a\\..\\..\\x": b""}), "neither file, folder nor link"),
    "link out": (tarred((member("a"), b""), (member("l", SYM, "../x"), b"")), "the link l → ../x points out"),
    "link absolute": (tarred((member("a"), b""), (member("l", SYM, "/etc"), b"")), "the link l → /etc points out"),
    "link out by a link": (
        tarred((member("d/e/a"), b""), (member("up", SYM, "d/e/l"), b""), (member("d/e/l", SYM, "../../../x"), b"")),
        "points out",
    ),
    "link out and in again": (tarred((member("a"), b""), (member("l", SYM, "../apex/a"), b"")), "points out"),
    "link out of the stripped top": (tarred((member("t/a"), b""), (member("t/l", SYM, "../t/a"), b"")), "points out"),
    "circle": (tarred((member("a", SYM, "b"), b""), (member("b", SYM, "a"), b"")), "points out"),
    "through a link": (tarred((member("l", SYM, "/tmp"), b""), (member("l/x"), b"evil")), "l twice"),
    "link through a link": (tarred((member("l", SYM, "/tmp"), b""), (member("l/x", SYM, "y"), b"")), "l twice"),
    "file over link": (tarred((member("a", SYM, "b"), b""), (member("a"), b""), (member("c"), b"")), "a twice"),
    "hard link out": (tarred((member("a"), b""), (member("l", HARD, "../../x"), b"")), "which would land outside"),
    "hard link absolute": (tarred((member("a"), b""), (member("l", HARD, "/etc/passwd"), b"")), "would land outside"),
    "hard link to nothing": (
        tarred((member("a"), b""), (member("l", HARD, "etc/passwd"), b"")),
        "hard link to nothing",
    ),
    "device": (tarred((member("null", tarfile.CHRTYPE), b"")), "null, which is neither"),
    "pipe": (tarred((member("pipe", tarfile.FIFOTYPE), b"")), "pipe, which is neither"),
    "seal": (zipped({"t/.pin.json": b"{}", "t/a": b""}), "a file of its own named .pin.json"),
    "terminal": (zipped({"../\x1b[31mred": b""}), "../?[31mred, which"),
    "empty": (tarred(), "archive is empty"),
    "no archive": (b"<html>", "neither a zip nor a tar"),
    "half": (zipped({"a": os.urandom(500)})[100:], "damaged"),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_an_archive_that_would_leave_its_folder_leaves_nothing(server: Server, vendor: Path, case: str) -> None:
    data, reason = OUTSIDE[case]
    before = {path for path in Path("/tmp").iterdir() if path.name in ("x", "a")}
    pins(vendor, f"apex: {serve(server, 'x', data)}")
    assert reason in fails(1, vendor)
    assert visible(vendor) == ["vendor.yaml"]
    assert sorted(path.name for path in vendor.parent.iterdir()) == ["vendor"]
    assert before == {path for path in Path("/tmp").iterdir() if path.name in ("x", "a")}


NAMES = st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a"])
TARGETS = st.lists(st.sampled_from(["..", ".", "a", "b", "d", "e", "", "x"]), min_size=1, max_size=5).map("/".join)


@given(st.dictionaries(NAMES, TARGETS.filter(bool), min_size=1))
def test_links_that_are_accepted_stay_inside_on_a_real_disk(links: dict[str, str]) -> None:
    with TemporaryDirectory() as place:
        top = Path(place).resolve() / "top"
        (top / "d/e").mkdir(parents=True)
        for name, target in links.items():
            (top / name).symlink_to(target)
        try:
            unpack.settle(top)
        except Refused:
            return
        for name in links:
            assert (top / name).resolve().is_relative_to(top)


def test_a_zip_with_links(tmp_path: Path) -> None:
    def link(target: bytes) -> Path:
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as package:
            package.writestr("a", "a")
            entry = zipfile.ZipInfo("l")
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            package.writestr(entry, target)
        return tmp_path / "x.zip"

    unpack.unpack(link(b"a"), tmp_path / "good")
    assert tree(tmp_path / "good") == {"a": "a", "l": "→ a"}
    with pytest.raises(Refused, match="points out"):
        unpack.unpack(link(b"../x"), tmp_path / "bad")


@pytest.mark.parametrize("target", ["../../secret", "/etc/passwd"])
def test_a_repository_whose_links_point_out(repository: Repository, vendor: Path, target: str) -> None:
    (repository.folder / "sub").mkdir()
    (repository.folder / "sub/l").symlink_to(target)
    rev = repository.commit({"sub/a": "1"})
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {rev}}}")
    assert "points out of its folder" in fails(1, vendor)
    assert visible(vendor) == ["vendor.yaml"]


def test_a_link_may_not_leave_the_part_that_is_taken(repository: Repository, vendor: Path) -> None:
    (repository.folder / "sub").mkdir()
    (repository.folder / "sub/l").symlink_to("../a")
    (repository.folder / "out").symlink_to("/etc")
    (repository.folder / "in").symlink_to("sub")
    rev = repository.commit({"a": "1", "sub/b": "1"})
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {rev}, path: sub}}")
    assert "the link l → ../a points out" in fails(1, vendor)
    for path in ("out", "in", "none", "a"):
        pins(vendor, f"lib: {{git: '{repository.url}', rev: {rev}, path: {path}}}")
        assert f"there is no folder {path} in commit" in fails(1, vendor)


def test_a_repository_runs_nothing_here(
    tmp_path: Path, repository: Repository, vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook of the person's own git templates is not run either, nor does a hook's environment confuse git."""
    hook = tmp_path / "templates/hooks/post-checkout"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "templates"))
    rev = repository.commit({"a": "1"})
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {rev}}}")
    task.bring(vendor)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("evil", ["ext::sh -c touch% /tmp/vendor-evil", "http://127.0.0.1:9/x"])
def test_a_submodule_cannot_use_another_protocol(repository: Repository, vendor: Path, evil: str) -> None:
    repository.commit({"a": "1"})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    (repository.folder / ".gitmodules").write_text(f'[submodule "sub"]\n\tpath = sub\n\turl = "{evil}"\n')
    repository.git("add", ".gitmodules")
    repository.git("commit", "--quiet", "--message", "evil")
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {repository.git('rev-parse', 'HEAD')}}}")
    assert "lib was not fetched: git submodule failed" in fails(1, vendor)
    assert not Path("/tmp/vendor-evil").exists()


def test_a_repository_from_elsewhere_cannot_take_files_of_this_machine(
    tmp_path: Path, vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submodule with a file URL is right in a file URL's repository, and theft in one that came over the network."""
    secret = Repository(tmp_path / "secret")
    secret.commit({"key": "secret"})
    origin = Repository(tmp_path / "evil")
    origin.git("submodule", "--quiet", "add", secret.url, "sub")
    rev = origin.commit({})
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    pins(vendor, f"lib: {{git: 'ssh://git@example.com{origin.folder}', rev: {rev}}}")
    assert "git submodule failed" in fails(1, vendor)
    assert visible(vendor) == ["vendor.yaml"]


# --- one fails, the others arrive ---


def test_one_fails_and_is_named_and_the_others_arrive(
    server: Server, repository: Repository, vendor: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rev = repository.commit({"a": "1"})
    pins(
        vendor,
        f"""
        thing: {index(server)}
        broken: {{url: "{server.url}/none", sha256: {"0" * 64}}}
        lib: {{git: "{repository.url}", rev: {rev}}}
        apex: {serve(server, "x.zip", zipped({"a": b"1"}))}
        """,
    )
    said = fails(1, vendor)
    assert said == f"broken was not fetched: cannot fetch {server.url}/none: the answer is 404 Not Found."
    assert visible(vendor) == ["apex", "lib", "thing", "vendor.yaml"]
    out = capsys.readouterr().out
    assert sorted(out.splitlines()) == ["apex: fetched", "broken: failed", "lib: fetched", "thing: fetched"]
    server.asked.clear()
    fails(1, vendor)
    assert server.asked == ["/none"], "what has arrived is not fetched again"


def test_several_at_a_time(server: Server, vendor: Path) -> None:
    """A server that hangs on one library does not keep the others from arriving."""
    slow = serve(server, "slow.zip", zipped({"a": b"1"}))
    server.slow = "/slow.zip"
    pins(vendor, f"slow: {slow}\nquick: {serve(server, 'quick.zip', zipped({'a': b'1'}))}")
    run = Thread(target=task.bring, args=(vendor,))
    run.start()
    wait_for(lambda: (vendor / "quick").is_dir())
    assert not (vendor / "slow").exists()
    server.go.set()
    run.join()
    assert (vendor / "slow").is_dir()


def test_a_terminal_sees_bars(server: Server, project: Path, vendor: Path) -> None:
    pins(vendor, f"'apex': {serve(server, 'x.zip', zipped({'a': os.urandom(300_000)}))}")
    leader, follower = pty.openpty()
    command = [sys.executable, "-I", str(project / "tasks/program/program.py"), "fetch-vendor"]
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, cwd=project) as process:
        os.close(follower)
        seen = b""
        while process.poll() is None or b"up to date" not in seen:
            try:
                seen += os.read(leader, 4096)
            except OSError:
                break
    os.close(leader)
    assert process.returncode == 0
    assert "━".encode() in seen
    assert b"fetched" in seen


# --- up to date ---


def test_up_to_date_needs_no_network_and_is_quick(server: Server, project: Path, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server)}\napex: {serve(server, 'x.zip', zipped({'a': b'1'}))}")
    assert done(inv(project, "fetch-vendor"))[0] == 0
    server.stop()

    def best(*argv: str) -> float:
        times = []
        for _ in range(3):
            start = time.monotonic()
            code = done(inv(project, *argv))[0]
            times.append(time.monotonic() - start)
            assert code == 0
        return min(times)

    code, out, _ = done(inv(project, "fetch-vendor"))
    assert (code, out) == (0, "vendor/ is up to date (2 libraries).\n")
    assert best("fetch-vendor") < best("--list") + 0.3


def test_ten_thousand_files_are_read_once(server: Server, vendor: Path) -> None:
    pins(vendor, f"big: {serve(server, 'x.zip', zipped({f'{i % 100}/{i}': b'x' * 200 for i in range(10_000)}))}")
    task.bring(vendor)

    def seconds() -> float:
        start = time.monotonic()
        task.bring(vendor)
        return time.monotonic() - start

    remembered, anew = [], []
    for _ in range(3):  # in turns, so that a busy machine slows both
        remembered.append(seconds())
        shutil.rmtree(vendor / ".cache")
        anew.append(seconds())
    assert min(remembered) < 0.7 * min(anew)
    one = vendor / "big/7/7"
    facts = one.stat()
    one.write_bytes(b"y" * 200)  # the same size, and the old time put back: the inode's own time gives it away
    os.utime(one, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert "was edited by hand (7/7)" in fails(1, vendor)


def test_listing_the_tasks_imports_nothing_slow(project: Path) -> None:
    program = project / "tasks/program/program.py"
    listing = [sys.executable, "-I", "-X", "importtime", str(program), "--list"]
    said = subprocess.run(listing, capture_output=True, text=True, cwd=project).stderr
    loaded = {row.rpartition("|")[2].strip() for row in said.splitlines()}
    assert "tasks.fetch_vendor" in loaded
    assert not loaded & {"requests", "rich", "ruamel.yaml", "tarfile", "tasks.vendoring.fetch"}


# --- edits by hand ---


@pytest.fixture
def fetched(server: Server, vendor: Path) -> Path:
    """A library in place."""
    files = {"a": b"a", "b": b"b", "c/d": b"d", "e": b"e", "f": b"f"}
    pins(vendor, f"apex: {serve(server, 'x.zip', zipped(files))}")
    task.bring(vendor)
    server.asked.clear()
    return vendor


def replaced_by_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("a")


EDITS: dict[str, Callable[[Path], object]] = {
    "a": lambda home: (home / "a").write_text("z"),
    "b": lambda home: (home / "b").unlink(),
    "c/new": lambda home: (home / "c/new").write_text("mine"),
    "e": lambda home: (home / "e").chmod(0o755),
    "f": lambda home: replaced_by_link(home / "f"),
}


@pytest.mark.parametrize("file", EDITS)
def test_an_edit_is_seen_kept_and_thrown_away_with_force(server: Server, fetched: Path, file: str) -> None:
    EDITS[file](fetched / "apex")
    before = tree(fetched / "apex")
    said = fails(1, fetched)
    assert said == (
        f"vendor/apex was edited by hand ({file}); kept as it is. "
        "To throw that away: inv fetch-vendor --force --only apex"
    )
    assert said in fails(1, fetched, check=True)
    assert said in fails(1, fetched, dry=True)
    pins(fetched, f"apex: {serve(server, 'y.zip', zipped({'a': b'newer'}))}")
    assert said in fails(1, fetched), "not for another pin either"
    assert (tree(fetched / "apex"), server.asked) == (before, [])
    task.bring(fetched, only="apex", force=True)
    assert tree(fetched / "apex") == {"a": "newer"}
    task.bring(fetched, check=True)


def test_a_sentence_names_three_files_at_most(fetched: Path) -> None:
    for file in ("a", "b", "e", "f", "c/d"):
        (fetched / "apex" / file).write_text("mine")
    assert "(a, b, c/d and 2 more)" in fails(1, fetched)


def test_an_edit_does_not_keep_the_others_from_arriving(server: Server, fetched: Path) -> None:
    (fetched / "apex/a").write_text("mine")
    with (fetched / "vendor.yaml").open("a") as file:
        file.write(f"\nother: {serve(server, 'y.zip', zipped({'a': b'1'}))}")
    assert "apex was edited" in fails(1, fetched)
    assert (fetched / "other").is_dir()


def test_a_changed_pin_brings_the_new_content(server: Server, fetched: Path) -> None:
    pins(fetched, f"apex: {serve(server, 'y.zip', zipped({'a': b'newer'}))}")
    assert fails(1, fetched, check=True) == "vendor/apex is at another pin than vendor.yaml says."
    task.bring(fetched)
    assert tree(fetched / "apex") == {"a": "newer"}


def test_force_fetches_again_what_is_as_it_should_be(server: Server, fetched: Path) -> None:
    task.bring(fetched, force=True)
    assert server.asked == ["/x.zip"]


@pytest.mark.parametrize("kind", ["folder", "link", "file", "broken seal"])
def test_what_this_task_did_not_make_is_not_overwritten(
    server: Server, vendor: Path, tmp_path: Path, kind: str
) -> None:
    home = vendor / "apex"
    if kind == "file":
        home.write_text("mine")
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        home.symlink_to(tmp_path / "elsewhere")
    else:
        home.mkdir()
        (home / (seal.NAME if kind == "broken seal" else "mine")).write_text("{")
    pins(vendor, f"apex: {serve(server, 'x.zip', zipped({'a': b'1'}))}")
    assert "vendor/apex was not made by fetch-vendor; kept as it is" in fails(1, vendor)
    task.bring(vendor, force=True)
    assert tree(home) == {"a": "1"}
    assert not home.is_symlink()
    assert kind != "link" or (tmp_path / "elsewhere").is_dir()


def test_an_edit_while_it_is_being_fetched_is_kept(server: Server, fetched: Path) -> None:
    pins(fetched, f"apex: {serve(server, 'y.zip', zipped({'a': b'newer'}))}")
    server.slow = "/y.zip"
    said: list[str] = []
    run = Thread(target=lambda: said.append(fails(1, fetched)))
    run.start()
    server.started.wait(10)
    (fetched / "apex/a").write_text("mine")
    server.go.set()
    run.join()
    assert "it was edited by hand while it was being fetched" in said[0]
    assert (fetched / "apex/a").read_text() == "mine"


def test_a_library_that_is_no_longer_pinned_goes_unless_it_was_edited(
    fetched: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins(fetched, "")
    assert fails(1, fetched, check=True) == "vendor/apex is not in vendor.yaml."
    (fetched / "apex/a").write_text("mine")
    assert "was edited by hand (a), and is not in vendor.yaml" in fails(1, fetched)
    (fetched / "apex/a").write_text("a")
    (fetched / "mine").mkdir()
    (fetched / "mine/file").write_text("mine")
    said = fails(1, fetched, force=True)
    assert "vendor/mine was not made by fetch-vendor, and is not in vendor.yaml" in said
    assert visible(fetched) == ["mine", "vendor.yaml"], "what was fetched is gone, what was not stays even with force"
    (fetched / "bottle.py").write_text("a module that would be found first")
    assert "vendor/bottle.py was not made by fetch-vendor, and is not in vendor.yaml" in fails(1, fetched, check=True)
    assert "apex: removed" in capsys.readouterr().out


# --- looking only ---


def test_check_says_what_is_missing_without_network(
    server: Server, vendor: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins(vendor, f"thing: {index(server)}\napex: {serve(server, 'x.zip', zipped({'a': b'1'}))}")
    assert fails(1, vendor, check=True) == "vendor/thing is missing.\nvendor/apex is missing."
    assert fails(1, vendor, check=True, only="apex") == "vendor/apex is missing."
    assert server.asked == []
    task.bring(vendor)
    server.stop()
    capsys.readouterr()
    task.bring(vendor, check=True)
    assert capsys.readouterr().out == "vendor/ is as vendor.yaml says (2 libraries).\n"


def test_a_dry_run_tells_and_fetches_nothing(server: Server, project: Path, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server)}")
    code, out, _ = done(inv(project, "--dry", "fetch-vendor"))
    assert code == 0
    assert out == f"Would fetch thing (missing): pypi thing==1.0 sha256:{sha(b'a wheel')}\n"
    assert (server.asked, visible(vendor)) == ([], ["vendor.yaml"])


def test_only_fetches_only(server: Server, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server)}\napex: {serve(server, 'x.zip', zipped({'a': b'1'}))}")
    task.bring(vendor, only="apex")
    assert visible(vendor) == ["apex", "vendor.yaml"]
    assert fails(2, vendor, only="none") == "vendor.yaml has no library none. There is: thing, apex."


@pytest.mark.parametrize(
    "options",
    [
        {"check": True, "force": True}, {"check": True, "update": "a"}, {"to": "x"}, {"update": "a", "only": "b"},
        {"update": "none"},
    ],
)  # fmt: skip
def test_a_wrong_mix_of_arguments_is_two(vendor: Path, options: dict[str, object]) -> None:
    pins(vendor, "")
    fails(2, vendor, **options)


# --- moving a pin ---

AROUND = """\
# first
lib:    {{git: '{url}',   # where
         rev: "{rev}", path: sub}}   # which

other:  # kept
  git: {url}
  rev: {rev}
"""


@pytest.fixture
def moving(repository: Repository, vendor: Path) -> tuple[str, str, str]:
    """A pin in place; its old commit, the branch's newest one, and one on another branch."""
    old = repository.commit({"sub/a": "old"})
    (vendor / "vendor.yaml").write_text(AROUND.format(url=repository.url, rev=old))
    task.bring(vendor)
    repository.git("checkout", "--quiet", "-b", "side")
    side = repository.commit({"sub/a": "side"})
    repository.git("tag", "--annotate", "--message", "x", "v2")
    repository.git("checkout", "--quiet", "main")
    return old, repository.commit({"sub/a": "new"}), side


def test_update_moves_to_the_newest_commit_and_keeps_the_rest_of_the_file(
    repository: Repository, vendor: Path, moving: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, _ = moving
    file = vendor / "vendor.yaml"
    before = file.read_text()
    task.bring(vendor, update="lib", dry=True)
    assert file.read_text() == before
    capsys.readouterr()
    task.bring(vendor, update="lib")
    assert f"lib: {old} → {new}" in capsys.readouterr().out
    assert file.read_text() == before.replace(old, new, 1), "not one other character, nor the other library's pin"
    assert YAML(typ="safe").load(file)["lib"]["rev"] == new
    assert tree(vendor / "lib") == {"a": "new"}
    task.bring(vendor, update="lib")
    assert f"lib is at {new} already." in capsys.readouterr().out


@pytest.mark.parametrize("to", ["side", "v2", "id"])
def test_update_to_a_branch_a_tag_or_a_commit(vendor: Path, moving: tuple[str, str, str], to: str) -> None:
    side = moving[2]
    task.bring(vendor, update="lib", to=side if to == "id" else to)
    assert vendored.read(vendor / "vendor.yaml")["lib"].rev == side  # type: ignore[union-attr]
    assert tree(vendor / "lib") == {"a": "side"}


def test_update_follows_the_pins_own_branch(vendor: Path, moving: tuple[str, str, str]) -> None:
    file = vendor / "vendor.yaml"
    file.write_text(file.read_text().replace("path: sub", "path: sub, branch: side"))
    task.bring(vendor, update="lib")
    assert tree(vendor / "lib") == {"a": "side"}


@pytest.mark.parametrize("to", ["none", "abc123", "--upload-pack=touch /tmp/vendor-evil", "2" * 40])
def test_a_pin_never_names_what_cannot_be_had(vendor: Path, moving: tuple[str, str, str], to: str) -> None:
    before = (vendor / "vendor.yaml").read_text()
    fails(1, vendor, update="lib", to=to)
    assert (vendor / "vendor.yaml").read_text() == before
    assert tree(vendor / "lib") == {"a": "old"}
    assert not Path("/tmp/vendor-evil").exists()


def test_an_edit_keeps_a_pin_from_moving(vendor: Path, moving: tuple[str, str, str]) -> None:
    before = (vendor / "vendor.yaml").read_text()
    (vendor / "lib/a").write_text("mine")
    assert "edited by hand (a): move your edits away, or add --force" in fails(1, vendor, update="lib")
    assert (vendor / "vendor.yaml").read_text() == before
    task.bring(vendor, update="lib", force=True)
    assert tree(vendor / "lib") == {"a": "new"}


def test_only_git_pins_move(server: Server, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server)}")
    assert "thing is no git pin" in fails(2, vendor, update="thing")


# --- killed, interrupted, two at once ---


@pytest.mark.parametrize("before", [False, True], ids=["nothing there", "an old one there"])
def test_killed_in_a_download_leaves_the_old_or_nothing(
    server: Server, project: Path, vendor: Path, before: bool
) -> None:
    if before:
        pins(vendor, f"apex: {serve(server, 'old.zip', zipped({'a': b'old'}))}")
        task.bring(vendor)
    pins(vendor, f"apex: {serve(server, 'x.zip', zipped({'a': os.urandom(200_000).hex().encode()}))}")
    server.slow = "/x.zip"
    process = inv(project, "fetch-vendor")
    assert server.started.wait(10)
    process.kill()
    done(process)
    assert (vendor / seal.TMP).is_dir(), "the killed run has left something"
    assert tree(vendor / "apex") == ({"a": "old"} if before else {})
    server.slow = ""
    task.bring(vendor)
    assert len(tree(vendor / "apex")["a"]) == 400_000
    assert not (vendor / seal.TMP).exists()


KILLER = """
import os, pathlib, signal, sys
from tasks import fetch_vendor as task
home, point, left = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def counted(name):
    real = getattr(pathlib.Path, name)
    def call(*args, **kwargs):
        global left
        left -= 1
        if point == "before" and not left:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **kwargs)
        if point == "after" and not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(pathlib.Path, name, call)
for name in ("rename", "replace", "mkdir", "write_bytes"):
    counted(name)
task.bring(home)
"""


@pytest.mark.parametrize("point", ["before", "after"])
def test_killed_at_any_step_leaves_the_old_or_nothing(server: Server, vendor: Path, point: str) -> None:
    """Dies around the n-th call that makes or moves something, for every n there is."""
    old = f"apex: {serve(server, 'old.zip', zipped({'a': b'old'}))}"
    new = f"apex: {serve(server, 'new.zip', zipped({'a': b'new'}))}"
    seen = set()
    for count in range(1, 50):
        pins(vendor, old)
        task.bring(vendor)
        pins(vendor, new)
        command = [sys.executable, "-c", KILLER, str(vendor), point, str(count)]
        killed = subprocess.run(command, cwd=ROOT, capture_output=True).returncode
        state = tree(vendor / "apex")
        assert state in ({"a": "old"}, {"a": "new"}, {})
        seen.add(state.get("a", ""))
        task.bring(vendor)
        assert tree(vendor / "apex") == {"a": "new"}
        task.bring(vendor, check=True)
        if killed == 0:
            break
        assert killed == -signal.SIGKILL
    assert (killed, count > 5) == (0, True), "every step was reached"
    assert seen == {"old", "", "new"}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_hand_leaves_nothing(server: Server, project: Path, vendor: Path, sent: signal.Signals) -> None:
    pins(vendor, f"apex: {serve(server, 'x.zip', zipped({'a': os.urandom(200_000)}))}")
    server.slow = "/x.zip"
    process = inv(project, "fetch-vendor")
    assert server.started.wait(10)
    process.send_signal(sent)
    time.sleep(0.1)
    server.go.set()
    code, _, err = done(process)
    assert code == 130 or (sent is signal.SIGTERM and code in (143, -signal.SIGTERM)), err
    assert visible(vendor) == ["vendor.yaml"]
    assert code < 0 or not (vendor / seal.TMP).exists()


def test_stopped_while_git_waits_for_a_server(
    project: Path, vendor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only `inv` gets the signal, as from another program: it ends git itself."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    pins(vendor, f"lib: {{git: 'git@example.com:a', rev: {REV}}}")
    process = inv(project, "fetch-vendor")
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    assert done(process)[0] == 130
    assert time.monotonic() - start < 6
    wait_for(lambda: not alive((tmp_path / "pid").read_text().strip()))
    assert visible(vendor) == ["vendor.yaml"]


def alive(pid: str) -> bool:
    """Whether a process runs; one that nobody has asked for its end (in a container without an init) does not."""
    try:
        return "\nState:\tZ" not in Path("/proc", pid, "status").read_text()
    except FileNotFoundError:
        return False


def test_two_runs_at_once_fetch_once(server: Server, project: Path, vendor: Path) -> None:
    pins(vendor, f"apex: {serve(server, 'x.zip', zipped({'a': b'1'}))}\nthing: {index(server)}")
    server.slow = "/x.zip"
    first = inv(project, "fetch-vendor")
    assert server.started.wait(10)
    second = inv(project, "fetch-vendor")
    assert second.stdout
    assert "Another fetch-vendor is at work" in second.stdout.readline()
    assert (vendor / seal.TMP).is_dir(), "the second has not cleared away what the first is working on"
    server.go.set()
    assert [done(first)[0], done(second)[0]] == [0, 0]
    assert server.asked.count("/x.zip") == 1
    assert visible(vendor) == ["apex", "thing", "vendor.yaml"]


# --- a vendor.yaml from elsewhere ---

SHA, REV = "0" * 64, "a" * 40
NONSENSE = {
    "- a\n- b": "line 1: expected keys and values",
    "a: b": "line 1: a: expected keys and values",
    "a: {": "line 1: not valid YAML",
    "a: &x [*x]": "line 1: a: expected keys and values",
    "[" * 3000: "not valid YAML",
    "a: {}\n--- \nb: {}": "not valid YAML",
    f"\n../evil: {{pypi: b==1, sha256: {SHA}}}": 'line 2: "../evil" cannot name a library',
    f".hidden: {{pypi: b==1, sha256: {SHA}}}": "cannot name a library",
    f"vendor.yaml: {{pypi: b==1, sha256: {SHA}}}": "cannot name a library",
    f'"a\\n": {{pypi: b==1, sha256: {SHA}}}': '"a?" cannot name a library',
    f"b: {{pypi: b==1, sha256: {SHA}}}\nb: {{pypi: b==2, sha256: {SHA}}}": "line 2: b stands here twice",
    "b: {sha256: x}": "b: expected one of the keys pypi, git, url, got none of them",
    f"b: {{pypi: b==1, url: 'https://x/y', sha256: {SHA}}}": "got pypi and url",
    f"b: {{pypi: b==1, sha256: {SHA}, extra: 1}}": "b: unknown key extra; expected pypi, sha256",
    "b: {pypi: b==1}": "b: the key sha256 is missing; expected 64 hex digits",
    f"b: {{pypi: b>=1, sha256: {SHA}}}": 'b: pypi is not usable; expected "name==version"',
    f"b: {{pypi: [b==1], sha256: {SHA}}}": 'b: pypi is not usable; expected "name==version"',
    "b: {pypi: b==1, sha256: 12}": "b: sha256 is not usable; expected 64 hex digits",
    f"b: {{git: 'https://x/y', rev: {REV[1:]}}}": "b: rev is not usable; expected a full commit id of 40 hex digits",
    "b: {git: 'https://x/y', rev: main}": "b: rev is not usable",
    f"b: {{git: 'https://x/y', rev: {REV}, path: ../up}}": "b: path is not usable; expected a folder inside",
    f"b: {{git: 'https://x/y', rev: {REV}, path: a/../../up}}": "b: path is not usable",
    f"b: {{git: 'https://x/y', rev: {REV}, path: /etc}}": "b: path is not usable",
    f"b: {{git: 'https://x/y', rev: {REV}, path: .git/hooks}}": "b: path is not usable",
    f"b: {{git: 'https://x/y', rev: {REV}, branch: -u}}": "b: branch is not usable",
    f"b: {{git: 'https://x/y', rev: {REV}, sha256: {SHA}}}": "b: unknown key sha256",
    f"b: {{url: 'file:///etc/passwd', sha256: {SHA}}}": "b: url is not usable; expected an https:// or http:// URL",
    f"b: {{<<: {{pypi: b==1}}, sha256: {SHA}}}": "got none of them",
    "? [a]\n: b": "expected a name in front of the colon",
}
EVIL_URLS = (
    "ext::sh -c touch% /tmp/x", "ext::sh", "fd::17", "-u", "--upload-pack=x", "-oProxyCommand=x:y", "git@-oProxy:x",
    "ssh://-oProxyCommand=x/y", "ssh://-o@host/y", "http://x/y", "git://x/y", "ftp://x/y", "/tmp/x", "../x", "x",
    "file://host/x", "https://x", "https://a b/c", "https:///x", "host:-x", "host://x", "transport::file:///x",
    "https://x/y\\nz",
)  # fmt: skip


@pytest.mark.parametrize("text", [*NONSENSE, *(f'b: {{git: "{url}", rev: {REV}}}' for url in EVIL_URLS)])
def test_nonsense_in_vendor_yaml_gets_one_sentence(vendor: Path, text: str) -> None:
    (vendor / "vendor.yaml").write_text(text)
    said = fails(2, vendor)
    assert NONSENSE.get(text, "b: git is not usable; expected an https://") in said
    assert said.startswith(f"{vendor}/vendor.yaml")
    assert "\n" not in said


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/a/b.git", "https://user:token@github.com:8443/a/b", "ssh://git@host:22/a", "file:///a/b",
        "git@gitee.com:colorai/sig_cauchy_external.git", "host:path", "git@host:/abs/path", "https://[::1]/x",
    ],
)  # fmt: skip
def test_usual_urls_are_taken(vendor: Path, url: str) -> None:
    pins(vendor, f"b: {{git: '{url}', rev: {REV}}}")
    assert list(vendored.read(vendor / "vendor.yaml")) == ["b"]


def test_values_that_yaml_takes_for_numbers_are_text(vendor: Path) -> None:
    pins(vendor, f"b: {{pypi: b==1, sha256: {'1' * 64}}}\nc: {{git: 'h:p', rev: {'1' * 20}e{'2' * 19}}}")
    assert vendored.describe(vendored.read(vendor / "vendor.yaml"))["c"] == f"git h:p {'1' * 20}e{'2' * 19}"


@pytest.mark.parametrize("text", ["", "# nothing but a remark\n", "---\n", "~"])
def test_an_empty_file_is_nothing_to_do(vendor: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (vendor / "vendor.yaml").write_text(text)
    if text == "~":
        fails(2, vendor)
    else:
        task.bring(vendor)
        assert capsys.readouterr().out == "vendor/ is up to date (0 libraries).\n"


@given(st.text() | st.text(alphabet="ab:{}[]\"'&*!|>-#\n ,=0.<", max_size=40))
def test_any_text_is_pins_or_one_sentence(text: str) -> None:
    with TemporaryDirectory() as place:
        file = Path(place) / "vendor.yaml"
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            vendored.read(file)
        except Exit as error:
            assert error.code == 2
            assert "\n" not in str(error.message)


def test_no_file_and_no_text(vendor: Path) -> None:
    assert "There is no" in fails(2, vendor)
    (vendor / "vendor.yaml").write_bytes(b"\xff\xfe\x00")
    assert "no UTF-8" in fails(2, vendor)


def test_a_description_holds_no_password(vendor: Path) -> None:
    pins(
        vendor,
        f"""
        a: {{git: "https://user:token@host/a.git", rev: {REV}, path: sub/}}
        b: {{git: "ssh://git:pw@host:22/b", rev: {REV}}}
        c: {{url: "https://token@host/c.zip?sig=token", sha256: {SHA}}}
        d: {{git: "git@host:d", rev: {REV}}}
        """,
    )
    assert vendored.describe(vendored.read(vendor / "vendor.yaml")) == {
        "a": f"git https://host/a.git {REV} sub",
        "b": f"git ssh://git@host:22/b {REV}",
        "c": f"url https://host/c.zip sha256:{SHA}",
        "d": f"git git@host:d {REV}",
    }


def test_the_projects_own_file_pins_what_the_framework_uses() -> None:
    own = vendored.describe(vendored.read(ROOT / "vendor/vendor.yaml"))
    assert own["bottle"].startswith("pypi bottle==0.13.4 sha256:")
