"""Completion: what `--complete` answers, and three real shells that ask it."""

import hashlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from images import like, load
from projects import PROGRAM_FILE, inv
from sites import ROOT, Site
from terminals import Terminal

from tasks.engine.endpoint import Endpoint
from tasks.engine.engine import Engine
from tasks.program.program import ask_early

VERSIONS: dict[str, dict[str, str]] = {"1.0": {}, "1.1": {}, "2.0": {}}
SLOW = ("docker", "requests", "rich", "questionary", "psutil", "prompt_toolkit")


def offered(*words: str, code: int = 0) -> list[str]:
    """What may be typed for the last of these words, without any engine."""
    done = inv("--complete", "--", *words, code=code)
    assert done.stderr == ""
    return done.stdout.split()


def tags(site: Site, *words: str, **environment: str) -> list[str]:
    """What the last word may be, with the site's settings and its engine."""
    return site.inv("--complete", "--", *words, code=0, **environment).stdout.split()


def test_tasks_and_flags_without_an_engine() -> None:
    assert offered("star") == ["start"] and offered("start", "--dry", "rollb") == ["rollback"]
    assert offered("")[:3] == ["fetch-vendor", "base", "frame"]
    assert offered("frame", "") == offered("") and offered("--dry", "") == offered("")
    assert offered("start", "--ta") == ["--tag", "--take-over"]
    assert {"--no-rehearsal", "--rehearsal", "--help"} <= set(offered("start", "--"))
    assert "--latest" not in offered("start", "stop", "--")
    assert "--dry" in offered("--") and "--tag" not in offered("--")
    assert offered("--help", "rollb") == ["rollback"] and offered("start", "--help", "") == offered("")
    assert offered("nope", "--zzz") == offered("--zzz") == []


def test_where_any_value_may_come_the_shell_may_offer_files() -> None:
    assert offered("-f", "", code=1) == offered("labels", "--image", "", code=1) == []
    assert offered("--config=si", code=1) == offered("start", "--wait", "", code=1) == []


def test_values_that_need_no_engine(tmp_path: Path) -> None:
    assert offered("completion", "--shell", "") == ["bash", "zsh", "fish"]
    assert offered("fetch-vendor", "--only", "b") == ["bottle"]
    assert offered("fetch-vendor", "--update", "") == []  # it has no pin of git's
    assert offered("start", "--name", "") == ["visdom"] and offered("start", "--name=") == ["--name=visdom"]
    assert offered("frame", "--name", "=", "v") == ["visdom"]  # as bash cuts it
    file = tmp_path / "a site.yaml"
    frame = "{image: x/y, dockerfile: D, service: other}"
    file.write_text(
        f"stack: {{frames: {{other: {frame}, 'of two words': {{image: a/b, dockerfile: D, service: two}}}}}}"
    )
    assert offered("-f", shlex.quote(str(file)), "start", "--name", "") == ["visdom", "other"]
    typed = ("-f", '"$SITES/a site.yaml"', "start", "--name", "o")
    assert inv("--complete", "--", *typed, SITES=str(tmp_path)).stdout.split() == ["other"]
    assert offered(f"--config={file}".replace(" ", "\\ "), "start", "--name", "o") == ["other"]
    file.write_text("stack: {frames: 3}")
    for wrong in (str(file), "/no/such", "/no/such.yaml", str(tmp_path), "/dev/null"):
        assert offered("-f", shlex.quote(wrong), "start", "--name", "") == []


def test_hosts_are_docker_s_contexts(tmp_path: Path) -> None:
    def words(*typed: str, code: int = 0) -> list[str]:
        return inv("--complete", "--", *typed, code=code, DOCKER_CONFIG=str(tmp_path)).stdout.split()

    assert words("ship", "") == []
    for name in ("gpu2", "gpu1"):
        folder = tmp_path / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": "ssh://a"}}}))
    (tmp_path / "contexts/meta/wrong").mkdir()
    (tmp_path / "contexts/meta/wrong/meta.json").write_text("[]")
    assert words("ship", "") == words("frame", "ship", "g") == ["gpu1", "gpu2"]
    assert words("ship", "gpu1,g") == ["gpu1,gpu1", "gpu1,gpu2"] and words("ship", "--st") == ["--start"]
    assert words("ship", "gpu1", "")[:3] == ["gpu1", "gpu2", "fetch-vendor"]
    assert words("ship", "gpu1", "rollb") == words("start", "rollb") == ["rollback"]
    assert words("bundle", "", code=1) == words("unbundle", "", code=1) == []
    assert words("bundle", "x", "--fu") == ["--full"] and words("bundle", "x", "stat") == ["status"]


@pytest.fixture
def home(versions: Site) -> Site:
    """A site with three versions, and a command `inv` that says what was typed, or completes it."""
    script = versions.folder / "bin/inv"
    script.parent.mkdir(exist_ok=True)
    completing = shlex.join([sys.executable, "-I", str(PROGRAM_FILE), "-f", str(versions.file)])
    script.write_text(f'#!/bin/sh\n[ "$1" = --complete ] && exec {completing} "$@"\necho "TYPED <$@>"\n')
    script.chmod(0o755)
    return versions


def test_tags_are_offered_newest_first(home: Site) -> None:
    assert tags(home, "start", "--tag", "") == ["2.0", "1.1", "1.0"]
    assert tags(home, "labels", "--json", "--tag", "1") == ["1.1", "1.0"]
    assert tags(home, "start", "--tag=1.1") == ["--tag=1.1"]
    assert tags(home, "start", "--name", "visdom", "--tag", "2") == ["2.0"]
    assert tags(home, "bundle", "x", "--since", "1") == ["1.1", "1.0"]
    assert tags(home, "start", "--name", "nope", "--tag", "2") == ["2.0"]
    load(home.engine, {"tests/visdom:3.0.building-1f6ab0c2": like(home.engine, "tests/visdom:1.0")})
    load(home.engine, {"tests/child:9.0": like(home.engine, "tests/visdom:1.0")})
    assert tags(home, "start", "--tag", "") == ["2.0", "1.1", "1.0"]


def test_tags_of_the_frame_that_was_named(home: Site) -> None:
    home.settings["frames"]["second"] = {**home.frame, "image": "tests/second", "service": "second", "port": 1}
    home.save()
    assert tags(home, "start", "--name", "second", "--tag", "") == []
    assert tags(home, "start", "--name=visdom", "--tag", "2") == tags(home, "start", "--tag", "2") == ["2.0"]
    assert tags(home, "start", "--name", "second", "labels", "--tag", "2") == ["2.0"]


def test_it_starts_no_program_and_imports_nothing_slow(home: Site) -> None:
    command = [sys.executable, "-I", "-X", "importtime", str(PROGRAM_FILE), "-f", str(home.file)]
    words = ["--complete", "--", "start", "--tag", ""]
    done = subprocess.run(
        [*command, *words], env={**home.environment, "PATH": "/nowhere"}, capture_output=True, text=True
    )
    assert done.stdout.split() == ["2.0", "1.1", "1.0"]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "tasks" in imported and not imported & set(SLOW)


def test_the_engine_is_asked_once_and_while_invoke_is_imported(home: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path, (reference, version) = home.folder / "early", ("tests/visdom:1.0", like(home.engine, "tests/visdom:1.0"))
    row = {"Id": "sha256:1", "Size": 1, "RepoTags": [reference], "Labels": version["config"]["Labels"]}
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        engine.listen()
        engine.settimeout(30)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        running = home.start(["--complete", "--", "start", "--tag", "1"], {"DOCKER_HOST": f"unix://{path}"})
        with engine.accept()[0] as connection:
            assert connection.recv(1000).startswith(b"GET /images/json HTTP/1.0\r\n")
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps([row]).encode())
        assert running.communicate() == ("1.0\n", "")
        for words in (["--tag", ""], ["--tag", "=", "2"], ["--tag=2"], ["--to", "1", "--from", "2"]):
            asked = ask_early(["-f", "x", "--complete", "--", "changes", *words])
            assert asked and asked[0] == str(path)
            with asked[1], engine.accept()[0] as connection:
                assert connection.recv(1000).startswith(b"GET /images/json ")
        for words in (["start", "--tag", "2"], ["--complete", "--", "sta"], ["--complete", "--", "--name", ""]):
            assert ask_early(words) is None
        engine.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody asked
            engine.accept()
    words = ["--complete", "--", "start", "--tag", ""]
    assert ask_early(words) is None  # nobody listens any more
    monkeypatch.setenv("DOCKER_HOST", "ssh://somebody@there")
    assert ask_early(words) is None
    monkeypatch.setenv("DOCKER_HOST", "")
    monkeypatch.setenv("DOCKER_CONTEXT", "another")
    assert ask_early(words) is None


def test_the_answer_of_another_engine_is_not_used(home: Site) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.0 200 OK\r\n\r\n[]")
        theirs.shutdown(socket.SHUT_WR)
        assert Engine(Endpoint(home.engine.host)).every_image(ours) == []
    folder = home.folder / "docker"
    meta = folder / "contexts/meta" / hashlib.sha256(b"ours").hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": "ours", "Endpoints": {"docker": {"Host": home.engine.host}}}))
    (folder / "config.json").write_text('{"currentContext": "ours"}')
    assert tags(home, "start", "--tag", "2", DOCKER_HOST="", DOCKER_CONFIG=str(folder)) == ["2.0"]


def test_an_engine_that_does_not_answer_holds_nobody_up(home: Site) -> None:
    path = home.folder / "s"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        words = home.command("--complete", "--", "start", "--tag", "")
        environment = {**home.environment, "DOCKER_HOST": f"unix://{path}"}
        done = subprocess.run(words, env=environment, capture_output=True, timeout=30)  # a task would wait for 60 s
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert tags(home, "start", "--tag", "", DOCKER_HOST=f"unix://{path}") == []
    assert tags(home, "start", "--tag", "", DOCKER_HOST="ssh://nobody@127.0.0.1:1") == []
    assert tags(home, "start", "--tag", "", DOCKER_HOST="", DOCKER_CONTEXT="nope") == []


SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "--interactive"],
}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, home: Site) -> Iterator[Terminal]:
    """A shell that has run what `inv completion` prints."""
    name = request.param
    script = home.folder / f"completion.{name}"
    script.write_text(home.inv("completion", "--shell", name).stdout)
    (home.folder / "empty").mkdir(exist_ok=True)
    variables = {
        "PATH": f"{home.folder}/bin:{os.environ['PATH']}",
        "HOME": str(home.folder),
        "ZDOTDIR": str(home.folder),
    }
    with Terminal(home, argv=SHELLS[name], **variables) as terminal:
        terminal.press(f"source {script}; cd {home.folder}; echo re''ady\r")
        terminal.until("ready")
        yield terminal


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("inv star\t\r", "start"),
        ("inv start --late\t\r", "start --latest"),
        ("inv start --tag 2\t\r", "start --tag 2.0"),
        ("inv start --tag=2\t\r", "start --tag=2.0"),
        ("inv start --name=\t\r", "start --name=visdom"),
        ("~/bin/inv start --name v\t --tag 2\t\r", "start --name visdom --tag 2.0"),
        ("inv -f ./Dockerfile.b\t start\r", "-f ./Dockerfile.base start"),
    ],
)
def test_a_real_shell(shell: Terminal, typed: str, becomes: str) -> None:
    shell.press(*re.split("(\t)", typed))
    assert " ".join(shell.until("TYPED").rpartition("TYPED <")[2].partition(">")[0].split()) == becomes


def test_each_way_prints_the_same_script(tmp_path: Path) -> None:
    for name in SHELLS:
        script = inv("completion", "--shell", name).stdout
        assert script == inv("--print-completion-script", name).stdout and "_inv_complete" in script
        assert script == inv("completion", SHELL=f"/usr/bin/{name}").stdout
    assert "There is no completion for tcsh. Type --shell with one of: bash, zsh, fish." in (
        inv("completion", SHELL="/bin/tcsh", code=2).stderr
    )
    assert "not known which shell" in inv("completion", SHELL="", code=2).stderr


def test_a_key_press_installs_nothing(tmp_path: Path) -> None:
    (tmp_path / "inv").write_bytes((ROOT / "inv").read_bytes())
    done = subprocess.run(["sh", tmp_path / "inv", "--complete", "--", "st"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "") and not (tmp_path / ".venv").exists()
