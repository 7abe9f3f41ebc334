"""The task fetch-vendor as people type it: up to date, looking only, one library, a terminal."""

import os
import pty
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from invoke import Config, Context
from vendoring.upstreams import Server, bring, done, fails, index, inv, pins, serve, sha, visible, zipped

from tasks import fetch_vendor


def test_up_to_date_needs_no_network_and_is_quick(server: Server, project: Path, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server)}\napex: {serve(server, 'x.zip', zipped({'a': b'1'}))}")
    bring(vendor)
    server.stop()

    def seconds(task: str) -> float:
        """Of processor time, which a busy machine does not make longer."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        code, out, _ = done(inv(project, task))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert code == 0 and (task == "--list" or out == "vendor/ is up to date (2 libraries).\n")
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    rounds = [(seconds("fetch-vendor"), seconds("--list")) for _ in range(2)]
    assert min(fetch for fetch, _ in rounds) < min(listing for _, listing in rounds) + 0.3


def test_listing_the_tasks_imports_nothing_slow(project: Path) -> None:
    program = project / "tasks/program/program.py"
    listing = [sys.executable, "-I", "-X", "importtime", str(program), "--list"]
    said = subprocess.run(listing, capture_output=True, text=True, cwd=project).stderr
    loaded = {row.rpartition("|")[2].strip() for row in said.splitlines()}
    assert "tasks.fetch_vendor" in loaded
    assert not loaded & {"requests", "rich", "ruamel.yaml", "tarfile", "tasks.vendoring.fetch"}


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


def test_check_says_what_is_missing_without_network(
    server: Server, vendor: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins(vendor, f"thing: {index(server)}\napex: {serve(server, 'x.zip', zipped({'a': b'1'}))}")
    assert fails(1, vendor, check=True) == "vendor/thing is missing.\nvendor/apex is missing."
    assert fails(1, vendor, check=True, only="apex") == "vendor/apex is missing."
    assert server.asked == []
    bring(vendor)
    server.stop()
    capsys.readouterr()
    bring(vendor, check=True)
    assert capsys.readouterr().out == "vendor/ is as vendor.yaml says (2 libraries).\n"


def test_a_dry_run_tells_and_fetches_nothing(
    server: Server, vendor: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pins(vendor, f"thing: {index(server)}")
    monkeypatch.setattr(fetch_vendor, "ROOT", vendor.parent)
    fetch_vendor.fetch_vendor(Context(Config({"run": {"dry": True}})))
    assert capsys.readouterr().out == f"Would fetch thing (missing): pypi thing==1.0 sha256:{sha(b'a wheel')}\n"
    assert (server.asked, visible(vendor)) == ([], ["vendor.yaml"])


def test_only_fetches_only(server: Server, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server)}\napex: {serve(server, 'x.zip', zipped({'a': b'1'}))}")
    bring(vendor, only="apex")
    assert visible(vendor) == ["apex", "vendor.yaml"]
    assert fails(2, vendor, only="none") == "vendor.yaml has no library none. There is: thing, apex."


@pytest.mark.parametrize(
    "options",
    [
        {"check": True, "force": True},
        {"check": True, "update": "a"},
        {"to": "x"},
        {"update": "a", "only": "b"},
        {"update": "none"},
    ],
)
def test_a_wrong_mix_of_arguments_is_two(vendor: Path, options: dict[str, object]) -> None:
    pins(vendor, "")
    fails(2, vendor, **options)
