"""Sentences for people: on a terminal broken between words, and a command to paste kept in one piece."""

import os
import re
import sys
from typing import TextIO

COMMAND = re.compile(r"(?:(?<=: )|^ *)(?:\S*inv|sudo|docker|git|apt-get|cd|echo|rm|ip|nft|[A-Z_]+=\S+) \S.*$")

NEXT = re.compile(r"(?<=;) (?=to [a-z ]+: )")  # between two commands of one sentence


def say(sentence: str, file: TextIO | None = None) -> None:
    """Print a sentence, or several lines of them, at once. In a pipe or a file each line stays as it is.

    Args:
        file: standard output by default.
    """
    stream = file or sys.stdout
    columns = width_of(stream)
    lines = sentence.split("\n")
    print("\n".join(wrapped(line, columns) for line in lines) if columns else sentence, file=stream, flush=True)


def width_of(stream: TextIO | None) -> int:
    """The columns of the terminal that a stream leads to; 0 where it leads to none, or that does not say."""
    try:
        if not stream or not stream.isatty():
            return 0
        set_by_hand = os.environ.get("COLUMNS", "")
        return int(set_by_hand) if set_by_hand.isdecimal() else os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0


def wrapped(line: str, columns: int) -> str:
    """A line as several that fit, broken between words and indented as it is.

    A command at its end goes on a line of its own rather than over two: what is pasted has no line end in it then.
    """
    if cells(line) <= columns:
        return line
    if len(parts := NEXT.split(line)) > 1:
        return "\n".join(wrapped(part, columns) for part in parts)
    indent = line[: len(line) - len(line.lstrip())]
    command = COMMAND.search(line)
    prose = line[: command.start()].rstrip() if command else line
    words = [*re.findall(r"\s*\S+", prose), *([line[len(prose) :]] if command else [])]
    lines = [""]
    for word in words:
        if lines[-1].strip() and cells(lines[-1] + word) > columns:
            lines.append(indent + word.lstrip())
        else:
            lines[-1] += word
    return "\n".join(lines)


def cells(text: str) -> int:
    """The columns that a text takes: two for each East Asian character that is wide."""
    import unicodedata

    return len(text) + sum(unicodedata.east_asian_width(char) in "WF" for char in text)
