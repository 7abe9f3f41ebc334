"""Plain `inv`, pip's own, in a user's environment: what a task says and ends with is the same as under our `inv`."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import versions
from projects import PROGRAM_FILE, inv, run
from sites import ROOT, Site

PLAIN = [sys.executable, "-m", "invoke"]


def typed_here(
    program: Sequence[object], *words: str | Path, code: int = 0, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Type a command in this project's folder, with no Docker Engine anywhere."""
    return run([*program, *words], code=code, cwd=ROOT, env={"DOCKER_HOST": "tcp://127.0.0.1:1", **environment})


def plain(*words: str | Path, code: int = 0, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Type pip's `inv …`."""
    return typed_here(PLAIN, *words, code=code, **environment)


@pytest.mark.parametrize(
    ("typed", "environment", "code", "said"),
    [
        (["-f", "/no/such.yaml", "labels"], {}, 2, "There is no settings file /no/such.yaml. Check the path after -f."),
        (["labels"], {"INVOKE_RUNTIME_CONFIG": "/no/such.yaml"}, 2, "There is no settings file /no/such.yaml."),
        (["labels", "--json", "--key", "x"], {}, 2, "--json prints all labels and --key one value"),
        (["labels"], {"INVOKE_STACK_START_REHEARSE": "never"}, 2, "needs true or false, and 'never' is neither."),
        (["start"], {"INVOKE_STACK_START_TIMOUT": "9"}, 2, "Did you mean INVOKE_STACK_START_TIMEOUT?"),
        (
            ["start"],
            {"INVOKE_STACK_START_KEEP": "-7"},
            2,
            "the environment (INVOKE_STACK_START_KEEP): expected 0 or",
        ),
        (["labels"], {}, 1, "The Docker Engine at tcp://127.0.0.1:1 does not answer"),
        (["frame"], {"INVOKE_RUN_SHELL": "/nope"}, 1, "There is no shell /nope."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list | dict) else "",
)
def test_a_task_says_the_same_and_ends_with_the_same(
    typed: list[str], environment: dict[str, str], code: int, said: str
) -> None:
    done = plain(*typed, code=code, **environment)
    assert said in done.stderr and len(done.stderr.splitlines()) == 1
    ours = inv(*typed, code=code, cwd=ROOT, **environment)
    assert (done.stdout, done.stderr) == (ours.stdout, ours.stderr)


def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("stack: {start: {keep: some}}\n")
    said = plain("-f", file, "start", code=2).stderr
    assert said == f'Setting stack.start.keep in {file}: expected a whole number, found "some".\n'
    file.write_text("stack: {serie: x}\n")
    said = plain("-f", file, "start", code=2).stderr
    assert said == f"There is no setting stack.serie, which stands in {file}. Did you mean series?\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "s.yaml",
            "stack:\n  data: /a\n  data: /b\n",
            ", line 3: not valid YAML (data stands here twice; keep one).\n",
        ),
        ("s.json", '{"stack": {"data": "/a", "data": "/b"}}', " cannot be read: data stands there twice; keep one.\n"),
    ],
)
def test_what_stands_twice_is_refused_and_not_lost(name: str, text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(text)
    assert plain("-f", file, "labels", code=2).stderr == f"{file}{said}"
    assert plain("labels", code=2, INVOKE_RUNTIME_CONFIG=str(file)).stderr == f"{file}{said}"
    home = tmp_path / f".invoke.{name[2:]}"
    home.write_text(text)
    assert plain("labels", code=2, HOME=str(tmp_path)).stderr == f"{home}{said}"


def test_dry_prints_and_runs_nothing() -> None:
    done = plain("--dry", "test", "-k", "x y", PATH="/usr/sbin:/usr/bin:/sbin:/bin")
    assert f" -m pytest {ROOT}/tests " in done.stdout and " -k 'x y' " in done.stdout
    assert "passed" not in done.stdout and "no tests ran" not in done.stdout
    ours = typed_here(
        [sys.executable, "-I", PROGRAM_FILE], "--dry", "test", "-k", "x y", PATH="/usr/sbin:/usr/bin:/bin"
    )
    assert done.stdout == ours.stdout


OURS = "runpy.run_path(program, None, '__main__')"


@pytest.mark.parametrize("typed", ["runpy.run_module('invoke', run_name='__main__')", OURS], ids=["pip's", "ours"])
def test_what_the_locale_cannot_spell_is_shown_as_an_escape(typed: str) -> None:
    words = ["inv", "--dry", "test", "-k", "\U0001f680 \u00e9 \u4e2d"]
    body = (
        f"import runpy, sys; program = {str(PROGRAM_FILE)!r}; sys.path.insert(0, {str(ROOT)!r}); sys.argv = {words!r}\n"
    )
    body += f"for stream in (sys.stdout, sys.stderr): stream.reconfigure(encoding='gbk', errors='strict')\n{typed}"
    done = subprocess.run([sys.executable, "-I", "-c", body], cwd=ROOT, capture_output=True)
    assert done.returncode == 0 and "'\\U0001f680 \u00e9 \u4e2d'" in done.stdout.decode("gbk"), done


@pytest.mark.parametrize(("value", "rehearsed"), [("true", True), ("false", False)])
def test_a_variable_that_says_false_means_it(site: Site, value: str, rehearsed: bool) -> None:
    versions.make(site, "1.0")
    site.inv("start", "--tag", "1.0")
    versions.make(site, "2.0")
    words = [*PLAIN, "--dry", "-f", site.file, "start", "--tag", "2.0"]
    done = run(words, cwd=ROOT, env={**site.environment, "INVOKE_STACK_START_REHEARSE": value})
    assert "docker create" in done.stdout
    assert (".rehearsal" in done.stdout) is rehearsed


PROGRAM = [sys.executable, "-I", PROGRAM_FILE]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize(
    "command",
    [[*PLAIN, "engine"], [*PROGRAM, "engine"], [*PROGRAM, "labels"]],
    ids=["plain", "ours, asking the client", "ours, asking the SDK"],
)
def test_a_signal_ends_a_task_with_130(command: Sequence[str], number: signal.Signals) -> None:
    """The task waits for an engine that took the call and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        running = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "DOCKER_HOST": f"tcp://127.0.0.1:{server.getsockname()[1]}"},
            start_new_session=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        server.settimeout(30)
        with server.accept()[0]:
            time.sleep(0.1)
            running.send_signal(number)
            said = running.communicate(timeout=60)[0]
    assert (running.returncode, said) == (130, "Stopped.\n")


@pytest.mark.parametrize("program", [PLAIN, [sys.executable, "-I", PROGRAM_FILE]], ids=["plain", "ours"])
def test_a_section_that_has_no_effect_is_refused(tmp_path: Path, program: Sequence[object]) -> None:
    file = tmp_path / "site.yaml"
    for text, said in (
        ("stak: {series: x}\n", f"There is no section stak, which stands in {file}. Did you mean stack?\n"),
        ("start: {timeout: 3}\nrun: {warn: true}\n", f"start, which stands in {file}. Did you mean stack?"),
        ("stack_settings: 3\n", f"There is no section stack_settings, which stands in {file}."),
    ):
        file.write_text(text)
        assert said in typed_here(program, "-f", file, "fetch-vendor", "--check", code=2).stderr


def test_a_variable_of_invokes_own_says_no_before_the_first_task(tmp_path: Path) -> None:
    words = ["--dry", "test", "-k", "x", "test", "-k", "x"]
    for said, times in (("false", 2), ("true", 1)):
        assert inv(*words, INVOKE_TASKS_DEDUPE=said).stdout.count(" -m pytest ") == times
    empty = inv("labels", code=2, INVOKE_RUNTIME_CONFIG="")
    assert empty.stderr == "The variable INVOKE_RUNTIME_CONFIG is empty. Unset it.\n"
