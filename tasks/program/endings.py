"""How a run ends: what is raised becomes a sentence and an exit code."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from invoke import Exit

from ..host.shell import exit_code, reason
from ..host.table import readable
from .program import unfit


@contextmanager
def as_exit() -> Iterator[None]:
    """Turn what ends a task, or the way to it, into an Exit.

    Raises:
        Exit: with code 130 for an interrupt, 1 for an output that cannot be written.
    """
    try:
        yield
    except Exit as end:
        if end.message:  # it may quote a label, a name or another program, and goes to a terminal
            end.message = readable(end.message)
        raise
    except KeyboardInterrupt as stop:
        raise Exit(reason(stop), code=exit_code(stop)) from None
    except BrokenPipeError:  # nobody reads on, as with `inv --list | head -1`
        raise Exit(code=1) from None
    except ImportError as error:
        raise Exit(unfit(error), code=1) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        place = f" {error.filename}" if error.filename else ""
        raise Exit(f"Cannot write{place}: the disk is full.", code=1) from None
