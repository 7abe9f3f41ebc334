"""How a switch reads on a terminal (dimmed commands, a mark and a time for each step) and in a pipe."""

import io
import re
import sys

import pytest
from invoke import Exit
from sites import Site
from terminals import STEERING, Terminal
from versions import make

from tasks.host import progress

DIM = "\x1b[2m"


@pytest.fixture
def versions(site: Site) -> Site:
    for tag in ("1.0", "2.0"):
        make(site, tag)
    make(site, "bad", script="exit 3")
    site.inv("start", "--tag", "1.0")
    return site


def typed(site: Site, *arguments: str, code: int = 0, **variables: str) -> Terminal:
    with Terminal(site, *arguments, **{"LC_ALL": "C.UTF-8", **variables}) as terminal:
        assert terminal.ended() == code, terminal.shown
    return terminal


def steps(terminal: Terminal, marks: str) -> list[str]:
    """The lines that end a step, without their times."""
    found = [line for line in terminal.shown.splitlines() if line[:1] in marks and line[1:2] == " "]
    assert all(re.search(r" \d+\.\d s$", line) for line in found), found
    return [line.rpartition(" s")[0].rpartition(" ")[0] for line in found]


def test_a_switch_is_a_story_on_a_terminal(versions: Site) -> None:
    told = typed(versions, "start", "--tag", "2.0")
    assert steps(told, "✓✗") == [
        "✓ create 2.0 as tests_service.next",
        "✓ rehearse 2.0 beside the old version",
        f"✓ let new connections to port {versions.port} wait",
        "✓ stop 1.0",
        "✓ start 2.0, and wait for its health",
        "✓ give the containers their names",
    ]
    commands = [line for line in told.raw.splitlines() if "docker " in line]
    assert commands and all(DIM in line for line in commands)
    assert "docker create --pull=never --name=tests_service.next" in told.shown, "whole, to paste"
    assert not re.search(r"^[0-9a-f]{64}$", told.shown, re.MULTILINE), "what docker prints is left out"
    assert "2.0 runs as tests_service; before: 1.0" in told.shown


def test_a_failed_switch_says_which_step_failed(versions: Site) -> None:
    told = typed(versions, "start", "--tag", "bad", "--no-rehearsal", code=1)
    assert steps(told, "✓✗") == [
        "✓ create bad as tests_service.next",
        f"✓ let new connections to port {versions.port} wait",
        "✓ stop 1.0",
        "✗ start bad, and wait for its health",
        "✓ go back",
    ]


def test_a_dumb_terminal_gets_no_codes(versions: Site) -> None:
    told = typed(versions, "start", "--tag", "2.0", "--no-rehearsal", TERM="dumb")
    assert "\x1b" not in told.raw and "✓ stop 1.0" in told.shown


def test_no_color_is_obeyed(versions: Site) -> None:
    told = typed(versions, "start", "--tag", "2.0", "--no-rehearsal", NO_COLOR="1")
    assert not re.search(r"\x1b\[(\d+;)*(3|4|9|10)\d(;\d+)*m", told.raw) and "✓ stop 1.0" in told.shown


class Ascii(io.TextIOWrapper):
    """A terminal whose locale is not UTF-8."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_without_utf_8_gets_plain_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Ascii(written, encoding="ascii", write_through=True))
    with progress.step("stop 1.0"):
        pass
    with pytest.raises(Exit), progress.step("start 2.0"):
        raise Exit("It does not.", code=1)
    with progress.waiting("svc.next") as tell:
        tell("starting", 0.1)
    marks = STEERING.sub("", written.getvalue().decode("ascii")).splitlines()
    assert marks[0].startswith("+ stop 1.0 ") and marks[1].startswith("x start 2.0 ")


def test_a_pipe_gets_commands_and_what_they_print(versions: Site) -> None:
    done = versions.inv("start", "--tag", "2.0", "--no-rehearsal")
    assert re.search(r"^[0-9a-f]{64}$", done.stdout, re.MULTILINE)
    assert "\x1b" not in done.stdout and "✓" not in done.stdout


def test_a_build_draws_on_a_terminal(site: Site) -> None:
    told = typed(site, "frame")
    assert "0.2.1 is built" in told.shown or "Successfully" in told.shown or "naming to" in told.shown
    assert versions_of(site) == ["0.2.1"]


def versions_of(site: Site) -> list[str]:
    return site.docker("images", "--format", "{{.Tag}}", site.frame["image"]).split()
