"""Tables on a terminal: what fits is drawn plainly, what does not loses columns or is folded."""

import sys
from collections.abc import Callable

import pytest

from tasks.host import table

HEADS, ROWS = ("tag", "size", "branch"), [("0.2.1", "1 B", "main"), ("0.2.10", "22 kB", "a-long-name 语言")]
Shown = Callable[..., list[str]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shown:
    """What a terminal of so many columns, which knows no colours, is shown of the table."""

    def of(columns: int, *spare: str) -> list[str]:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        for name, value in (("TERM", "dumb"), ("LINES", "25"), ("COLUMNS", str(columns))):
            monkeypatch.setenv(name, value)
        table.show("A title that is wider", HEADS, ROWS, right=("size",), spare=spare)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return of


def test_what_fits_exactly_is_whole(shown: Shown) -> None:
    lines = ["tag      size  branch", "0.2.1     1 B  main", "0.2.10  22 kB  a-long-name 语言"]
    assert shown(31, "branch", "size") == ["A title that is wider", *lines]
    told = ["(A wider terminal, or a pipe,", "shows more: branch.)"]
    assert shown(30, "branch", "size")[1:] == [*(line[:13].rstrip() for line in lines), *told]


def test_what_does_not_fit_is_folded(shown: Shown) -> None:
    lines = shown(22)
    assert all(len(line) <= 22 for line in lines) and len(lines) > 4
    assert "语言" in "".join(lines)
    assert "0.2.10" in shown(7, "branch", "size") and " ".join(shown(7, "branch", "size")).endswith(": size, branch.)")
    folded = shown(4, "branch", "size")
    assert folded[folded.index("10") - 1] == "0.2."


def test_a_value_has_its_colour_on_a_terminal_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("0.2.1", table.Styled("running", "green")), ("0.2.10", table.Styled("", "green"))]
    table.show("", ("tag", "state"), rows)
    assert capsys.readouterr().out == "tag     state\n0.2.1   running\n0.2.10\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for name, value in (("TERM", "xterm"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    table.show("", ("tag", "state"), rows)
    assert "0.2.1   \x1b[32mrunning\x1b[0m" in capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "12")  # folded
    table.show("", ("tag", "state"), rows)
    assert "\x1b[32m" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_a_pipe_has_no_colours_whatever_is_forced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setenv(name, "1")
    table.facts([("service", "healthy", "green")])
    assert capsys.readouterr().out == "service  healthy\n"
