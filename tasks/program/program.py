"""The `inv` command: starts Invoke with this project's tasks.

Run as a script, which Python compiles at every start; so the rest of it stands in invoking.py.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from socket import socket

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = "unix:///var/run/docker.sock"
OF_ENGINE = ("--tag", "--from", "--to")  # flags whose values the engine knows
IMAGES = b"GET /images/json HTTP/1.0\r\nHost: docker\r\n\r\n"


def program(asked: "tuple[str, socket] | None" = None) -> Callable[[], None]:
    """Import Invoke and the tasks, and return what runs them.

    Args:
        asked: what `ask_early` returned.

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
    found = StackProgram(__version__, name="inv", binary="inv", binary_names=names, config_class=StackConfig)
    found.asked = asked
    return found.run


def ask_early(words: Sequence[str]) -> "tuple[str, socket] | None":
    """Ask the engine for its images, where a key press is about their tags: it lists them while Invoke is imported.

    With a thousand images, the one takes as long as the other. Only the engine that most have is asked; who reads the
    answer knows which one is meant.

    Args:
        words: what follows `inv`.

    Returns:
        The path of the engine's socket, and the connection on which the answer comes.
    """
    host = os.environ.get("DOCKER_HOST") or ("" if os.environ.get("DOCKER_CONTEXT") else DEFAULT)
    near = {word.partition("=")[0] for word in words[-3:]}  # bash cuts --tag=0.2 into three words
    if "--complete" not in words or near.isdisjoint(OF_ENGINE) or not host.startswith("unix:///"):
        return None
    import socket

    path = host.removeprefix("unix://")
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.setblocking(False)  # who is too busy to be called is asked later, with patience
        connection.connect(path)
        connection.setblocking(True)
        connection.sendall(IMAGES)
    except (OSError, ValueError):
        connection.close()
        return None
    return path, connection


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
        program(ask_early(sys.argv[1:]))()
    finally:
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            try:
                if stream:
                    stream.flush()
            except OSError:  # what cannot be written goes nowhere, or Python would complain of it at the very end
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)


if __name__ == "__main__":
    main()
