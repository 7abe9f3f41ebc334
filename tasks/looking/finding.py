"""What `doctor` found of one thing: fine, or what is wrong and what to type."""

from collections.abc import Callable, Iterable, Iterator

from invoke import Exit
from msgspec import Struct

OK, WARNING, FAILURE = "ok", "warning", "failure"


class Finding(Struct, frozen=True):
    """One thing that was looked at.

    `check` names it; `frame` is the frame's name in the settings that it is about, None for all. `state` is "ok",
    "warning" or "failure"; `said` is a sentence, `advice` a command to type, None where none would help.
    """

    check: str
    frame: str | None
    state: str
    said: str
    advice: str | None


def fine(check: str, said: str, frame: str | None = None) -> Finding:
    return Finding(check, frame, OK, said, None)


def doubtful(check: str, said: str, advice: str | None, frame: str | None = None) -> Finding:
    """A warning: it works, or can be worked around, or cannot be told."""
    return Finding(check, frame, WARNING, said, advice)


def broken(check: str, said: str, advice: str | None, frame: str | None = None) -> Finding:
    """A failure: a task would fail of it."""
    return Finding(check, frame, FAILURE, said, advice)


def attempted(check: str, look: Callable[[], Iterable[Finding]], frame: str | None = None) -> Iterator[Finding]:
    """What a check finds; where it cannot look, the reason is a failure of its own."""
    try:
        yield from look()
    except Exit as end:
        said, _, way = (end.message or "It ended without a reason.").partition(" Type: ")
        yield broken(check, said, way or None, frame)
    except OSError as error:  # a folder that this user may not look into
        yield broken(check, f"{error.filename} cannot be looked at: {error.strerror}.", None, frame)
