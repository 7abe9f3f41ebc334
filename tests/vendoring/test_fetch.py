"""Several fetches at once, and runs that are killed, stopped, or two at a time."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
from vendoring.upstreams import (
    REV,
    Forked,
    Repository,
    Server,
    bring,
    done,
    fails,
    index,
    inv,
    pins,
    serve,
    tree,
    visible,
    wait_for,
    zipped,
)

from tasks.vendoring import manifest


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
    run = Thread(target=bring, args=(vendor,))
    run.start()
    wait_for(lambda: (vendor / "quick").is_dir())
    assert not (vendor / "slow").exists()
    server.go.set()
    run.join()
    assert (vendor / "slow").is_dir()


@pytest.mark.parametrize("before", [False, True], ids=["nothing there", "an old one there"])
def test_killed_in_a_download_leaves_the_old_or_nothing(
    server: Server, vendor: Path, tmp_path: Path, before: bool
) -> None:
    if before:
        pins(vendor, f"apex: {serve(server, 'old.zip', zipped({'a': b'old'}))}")
        bring(vendor)
    pins(vendor, f"apex: {serve(server, 'x.zip', zipped({'a': os.urandom(200_000).hex().encode()}))}")
    server.slow = "/x.zip"
    run = Forked(lambda: bring(vendor), tmp_path / "output")
    assert server.started.wait(10)
    os.kill(run.pid, signal.SIGKILL)
    assert run.ended() == -signal.SIGKILL
    assert (vendor / manifest.TMP).is_dir(), "the killed run has left something"
    assert tree(vendor / "apex") == ({"a": "old"} if before else {})
    server.slow = ""
    bring(vendor)
    assert len(tree(vendor / "apex")["a"]) == 400_000
    assert not (vendor / manifest.TMP).exists()


def dying(vendor: Path, point: str, left: int) -> None:
    """Fetch in a process that dies before or after its so-manieth call that makes or moves something."""

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if point == "before" and not left:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments, **options)
            if point == "after" and not left:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for name in ("rename", "replace", "mkdir", "write_bytes"):
        setattr(Path, name, counted(getattr(Path, name)))
    bring(vendor)


@pytest.mark.parametrize("point", ["before", "after"])
def test_killed_at_any_step_leaves_the_old_or_nothing(
    server: Server, vendor: Path, tmp_path: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dies around the n-th call that makes or moves something, for every n there is."""
    monkeypatch.setattr(manifest, "FRESH", -1_000_000_000)  # all is remembered, so that each run takes the same steps
    old = f"apex: {serve(server, 'old.zip', zipped({'a': b'old'}))}"
    new = f"apex: {serve(server, 'new.zip', zipped({'a': b'new'}))}"
    seen = set()
    for count in range(1, 50):
        pins(vendor, old)
        bring(vendor)
        pins(vendor, new)
        killed = Forked(partial(dying, vendor, point, count), tmp_path / "output").ended()
        state = tree(vendor / "apex")
        assert state in ({"a": "old"}, {"a": "new"}, {})
        seen.add(state.get("a", ""))
        bring(vendor)
        assert tree(vendor / "apex") == {"a": "new"}
        bring(vendor, check=True)
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
    assert code < 0 or not (vendor / manifest.TMP).exists()


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
    assert time.monotonic() - start < 30
    wait_for(lambda: not alive((tmp_path / "pid").read_text().strip()))
    assert visible(vendor) == ["vendor.yaml"]


def alive(pid: str) -> bool:
    """Whether a process runs; one that nobody has asked for its end (in a container without an init) does not."""
    try:
        return "\nState:\tZ" not in Path("/proc", pid, "status").read_text()
    except FileNotFoundError:
        return False


def test_two_runs_at_once_fetch_once(server: Server, vendor: Path, tmp_path: Path) -> None:
    pins(vendor, f"apex: {serve(server, 'x.zip', zipped({'a': b'1'}))}\nthing: {index(server)}")
    server.slow = "/x.zip"
    first = Forked(lambda: bring(vendor), tmp_path / "first")
    assert server.started.wait(10)
    second = Forked(lambda: bring(vendor), tmp_path / "second")
    wait_for(lambda: "Another fetch-vendor is at work" in (tmp_path / "second").read_text())
    assert (vendor / manifest.TMP).is_dir(), "the second has not cleared away what the first is working on"
    server.go.set()
    assert [first.ended(), second.ended()] == [0, 0]
    assert server.asked.count("/x.zip") == 1
    assert visible(vendor) == ["apex", "thing", "vendor.yaml"]
