"""Sentences on a terminal are broken between words, in a pipe never; a command to paste stays in one piece."""

import io
import os
import pty
import struct
import termios
from collections.abc import Iterator
from fcntl import ioctl
from typing import TextIO

import pytest

from tasks.host.saying import say, width_of, wrapped

LONG = "There are several frames, and nobody said which. Type --name with one of: visdom, second, another-of-them."


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """A terminal of 40 columns."""
    monkeypatch.delenv("COLUMNS", raising=False)
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with open(ours, "rb"), open(theirs, "w") as stream:
        stream.ours = ours  # type: ignore[attr-defined]
        yield stream


def test_a_terminal_gets_whole_words_and_a_pipe_the_whole_line(terminal: TextIO) -> None:
    say(f"{LONG}\nShort.", terminal)
    shown = ""
    while "Short.\n" not in shown:
        shown += os.read(terminal.ours, 65536).decode().replace("\r", "")  # type: ignore[attr-defined]
    wrapped = (
        "There are several frames, and nobody\nsaid which. Type --name with one of:\nvisdom, second, another-of-them.\n"
    )
    assert shown == f"{wrapped}Short.\n"
    pipe = io.StringIO()
    say(LONG, pipe)
    assert pipe.getvalue() == f"{LONG}\n"


def test_the_width_is_the_terminals_or_what_is_set(terminal: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    assert width_of(terminal) == 40 and width_of(io.StringIO()) == width_of(None) == 0
    monkeypatch.setenv("COLUMNS", "33")
    assert width_of(terminal) == 33 and width_of(io.StringIO()) == 0


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("fits  as it stands", "fits  as it stands"),
        (
            "It goes on. To see it, type: inv rollout --status; to go back: inv rollout --rollback",
            "It goes on. To see it,\ntype:\ninv rollout --status;\nto go back:\ninv rollout --rollback",
        ),
        ("nothing runs. Type: inv -f a/b.yaml start", "nothing runs. Type:\ninv -f a/b.yaml start"),
        ("nothing runs at all here now. Type: ../inv start", "nothing runs at all\nhere now. Type:\n../inv start"),
        ("See: docker logs --follow a_long_name", "See:\ndocker logs --follow a_long_name"),
        ("  docker run --detach --name service image:tag", "  docker run --detach --name service image:tag"),
        ("  - two words and more of them", "  - two words and more\n  of them"),
        ("a_name_that_is_too_long_for_it and more", "a_name_that_is_too_long_for_it\nand more"),
        ("语言语言语言 语言语言语言", "语言语言语言\n语言语言语言"),
    ],
)
def test_where_a_line_is_broken(line: str, becomes: str) -> None:
    assert wrapped(line, 22) == becomes
