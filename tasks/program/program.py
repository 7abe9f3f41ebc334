"""The `inv` command: starts Invoke with this project's tasks.

Run as a script, which Python compiles at every start; so the rest of it stands in invoking.py.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def program() -> Callable[[], None]:
    """Import Invoke and the tasks, and return what runs them.

    Raises:
        SystemExit: when one of them cannot be imported.
    """
    sys.path.insert(0, str(ROOT))
    try:
        from invoke import __version__

        from tasks.program.config import StackConfig
        from tasks.program.invoking import StackProgram
    except ImportError as error:
        sys.exit(unfit(error))
    except SyntaxError as error:
        sys.exit(f"{error.filename}, line {error.lineno}: {error.msg}.")
    names = ["inv", "invoke"]
    return StackProgram(__version__, name="inv", binary="inv", binary_names=names, config_class=StackConfig).run


def unfit(error: ImportError) -> str:
    """The sentence about packages that cannot be imported, after an upgrade of the system's Python, say.

    Raises:
        ImportError: the error itself, when it is a mistake in this project.
    """
    if (error.name or "").startswith("tasks"):
        raise error
    return f"What is in .venv does not fit this Python ({error}). Type: rm -r {ROOT}/.venv"


def main() -> None:
    for stream in (sys.stdout, sys.stderr):  # in a pipe too, a command is shown before what it says
        if stream:  # not with >&-
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    try:
        program()()
    finally:
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            try:
                if stream:
                    stream.flush()
            except OSError:  # what cannot be written goes nowhere, or Python would complain of it at the very end
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)


if __name__ == "__main__":
    main()
