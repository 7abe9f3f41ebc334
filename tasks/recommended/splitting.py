"""A text split into words as a POSIX shell does it; what a shell would do beyond that is refused: no shell is there.

Source: the Shell Command Language, 2.2 and 2.6 (https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html).
"""

import re

from ..host.text import REPLACED_BY_A_SHELL, SHELL_OPERATOR, brief
from .grammar import Malformed

LONGEST = 32_000  # characters; a Linux command line takes 131,072 bytes an argument
LONGEST_NAMED = 80  # characters of a text in a sentence

# A piece of a word: in single quotes, in double quotes, one character after a backslash, or bare.
PIECE = re.compile(
    r"""'(?P<single>[^']*)' | "(?P<double>(?:[^"\\]|\\.)*)" | \\(?P<escaped>.)
        | (?P<bare>[^\s'"\\]+) | (?P<space>\s+)""",
    re.VERBOSE,
)


def split(text: str) -> list[str]:
    """Split a text as a POSIX shell does, and do nothing else that a shell does.

    Raises:
        Malformed: for an empty or endless text, an open quote, characters that would not be seen when printed, and what
            a shell would replace (`$NAME`, `${...}`, `$(...)`, backquotes) or act on (`;`, `|`, `>` outside quotes).
    """
    if not text.isprintable():  # control characters, line breaks, and those that turn the direction of writing
        raise Malformed("holds control characters")
    if len(text) > LONGEST:
        raise Malformed(f"is longer than {LONGEST} characters")
    words: list[str] = []
    position, inside = 0, False  # whether a word has begun; an empty one in quotes is a word too
    while position < len(text):
        piece = PIECE.match(text, position)
        if piece is None:
            raise Malformed("has a quote or a backslash with nothing after it")
        position = piece.end()
        if piece["space"]:
            inside = False
            continue
        if not inside:
            words.append("")
        words[-1] += said(piece, text)
        inside = True
    if not words:
        raise Malformed("is empty")
    return words


def said(piece: "re.Match[str]", text: str) -> str:
    """What a piece of a word stands for.

    Raises:
        Malformed: when a shell would replace something in it, or act on it.
    """
    if piece["single"] is not None:
        return piece["single"]
    if piece["escaped"] is not None:
        return piece["escaped"]
    if piece["double"] is not None:
        refuse_replaced(text, piece.start("double"), re.sub(r"\\.", "  ", piece["double"]))
        return re.sub(r'\\([$`"\\])', r"\1", piece["double"])
    refuse_replaced(text, piece.start(), piece["bare"])
    if found := SHELL_OPERATOR.search(piece["bare"]):
        raise Malformed(f"holds {found[0]} outside quotes, which a shell would act on, and no shell reads it")
    return piece["bare"]


def refuse_replaced(text: str, begin: int, piece: str) -> None:
    """Refuse what a shell would replace in a piece of a text, which begins at `begin`, and name it as it is written.

    Raises:
        Malformed: see `split`.
    """
    if found := REPLACED_BY_A_SHELL.search(piece):
        whole = REPLACED_BY_A_SHELL.match(text, begin + found.start()) or found
        raise Malformed(f"holds {brief(whole[0], LONGEST_NAMED)}, which a shell would replace, and no shell reads it")
