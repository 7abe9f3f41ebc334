"""The `inv` command: starts Invoke with this project's tasks.

Run as a script, which Python compiles at every start; so the rest of it stands in invoking.py.
"""

import errno
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Postponed(ModuleType):
    """A stand-in for a module, which is imported only when something of it is called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: getattr(import_module(self.__name__), name)(*args, **kwargs)


def version(package: str) -> str:
    """The version of a package, by the folder that pip keeps beside it; what `importlib.metadata` reads in it."""
    folders = (folder for path in reversed(sys.path) for folder in Path(path).glob(f"{package}-*.dist-info"))
    for folder in folders:
        return folder.name.removeprefix(f"{package}-").removesuffix(".dist-info")
    raise ImportError(f"{package} is only half there")


@contextmanager
def spared() -> Iterator[None]:
    """Inside the `with`, importing Invoke leaves out nearly half of what it imports, which most tasks do not use.

    That is `unittest.mock` (and with it asyncio) for its MockContext, `importlib.metadata` (and with it email) for its
    version number, and its reader of YAML, which `memory` needs only for what it has not seen.
    """
    metadata = ModuleType("importlib.metadata")
    metadata.version = version  # type: ignore[attr-defined]
    modules = (Postponed("unittest.mock"), Postponed("invoke.vendor.yaml"), metadata)
    added = [module for module in modules if module.__name__ not in sys.modules]
    sys.modules.update((module.__name__, module) for module in added)
    try:
        yield
    finally:
        for module in added:
            del sys.modules[module.__name__]


def program() -> Callable[[], None]:
    """Import Invoke and the tasks, and return what runs them; Invoke then finds most of it imported.

    Raises:
        SystemExit: when one of them cannot be imported.
    """
    sys.path.insert(0, str(ROOT))
    try:
        with spared():
            from invoke import __version__
        from tasks.shared.invoking import StackConfig, StackProgram
    except ImportError as reason:  # after an upgrade of the system's Python, say
        if (reason.name or "").startswith("tasks"):
            raise  # a mistake in this project
        sys.exit(f"What is in .venv does not fit this Python ({reason}). Type: rm -r {ROOT}/.venv")
    except SyntaxError as error:
        sys.exit(f"{error.filename}, line {error.lineno}: {error.msg}.")
    names = ["inv", "invoke"]
    return StackProgram(__version__, name="inv", binary="inv", binary_names=names, config_class=StackConfig).run


def main() -> None:
    gc.disable()  # until the tasks run: nothing is thrown away before
    for stream in (sys.stdout, sys.stderr):  # in a pipe too, a command is shown before what it says
        if stream:  # not with >&-
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        program()()
    except BrokenPipeError:  # nobody reads on, as with `inv --list | head -1`
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.exit(f"Cannot write{f' {error.filename}' if error.filename else ''}: the disk is full.")
    finally:
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            try:
                if stream:
                    stream.flush()
            except OSError:  # what cannot be written goes nowhere, or Python would complain of it at the very end
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)
        gc.freeze()  # so that Python does not go through everything once more before it ends


if __name__ == "__main__":
    main()
