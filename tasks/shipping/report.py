"""How a version came to several hosts, and what runs there then, for programs."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Protocol

from msgspec import Struct

from ..host import document
from .ship import Outcome


class Went(Protocol):
    """How a switch went on a host."""

    @property
    def outcome(self) -> str: ...

    @property
    def error(self) -> str: ...

    @property
    def runs(self) -> list[str] | None: ...


class Row(Struct, frozen=True):
    """One host in the document: see docs/JSON.md."""

    host: str
    image: str | None
    sent: int | None
    left_out: int | None
    seconds: float | None
    service: str | None
    runs: list[str] | None
    error: str | None


@contextmanager
def told(wanted: bool, hosts: Iterable[str], outcomes: list[Outcome], switched: Mapping[str, Went]) -> Iterator[None]:
    """Print the document after the block, however that ends; what is said in the block goes to standard error.

    Args:
        wanted: whether there is to be one.
        outcomes, switched: filled in the block.
    """
    if not wanted:
        yield
        return
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        brought = {one.host: one for one in outcomes}
        document.show({"hosts": [row(name, brought.get(name), switched.get(name)) for name in hosts]})


def row(name: str, brought: Outcome | None, went: Went | None) -> Row:
    error = (brought.failed if brought else "") or (went.error if went else "")
    asked = brought is not None and brought.sent > 0
    return Row(
        host=name,
        image=brought.what if brought else None,
        sent=brought.sent if brought else None,
        left_out=brought.left if brought else None,
        seconds=round(brought.seconds, 1) if brought and asked else None,
        service=went.outcome if went else None,
        runs=went.runs if went else None,
        error=error or None,
    )
