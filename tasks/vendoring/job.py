"""What the ways to fetch a library share: the job, and how it fails."""

from collections.abc import Callable
from pathlib import Path
from threading import Event

from msgspec import Struct

from .pip_settings import PipSettings


class Refused(Exception):
    """Why one library cannot be had, as the end of a sentence; the others are fetched all the same."""


class Job(Struct, frozen=True):
    """One library being fetched.

    Attributes:
        folder: a working folder of its own.
        pip: where pip would get packages from.
        tell: whom to tell of progress: the step, bytes, of how many (0: unknown).
        stop: set when the person said stop.
    """

    folder: Path
    pip: PipSettings
    tell: Callable[[str, int, int], None]
    stop: Event
