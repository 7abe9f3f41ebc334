"""The decorator of this project's tasks: the same settings and the same ends whoever runs them, our `inv` or pip's."""

import functools
import inspect
import sys
from collections.abc import Mapping
from io import TextIOWrapper
from typing import Any

import invoke

from ..host import signals, streams
from .config import prepare
from .endings import as_exit


class StackTask(invoke.Task[Any]):
    """Invoke's task, which gets a checked context; an interrupt ends it with 130, and whatever else with a sentence."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from ..settings.this_run import remember_typed

        streams.complete()
        for stream in (sys.stdout, sys.stderr):  # what the locale cannot spell is shown as escapes, and ends nothing
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        with as_exit(), signals.as_interrupts():
            prepare(args[0])
            remember_typed(args[0], self.name, typed_flags(self.argspec(self.body), kwargs))
            return super().__call__(*args, **kwargs)


def typed_flags(signature: inspect.Signature, values: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The flags that a task was given, each as the words that one types."""
    found: list[tuple[str, ...]] = []
    for name, value in values.items():
        flag = name.strip("_").replace("_", "-")  # as Invoke does: `from` can be no name in Python
        if name in signature.parameters and value != signature.parameters[name].default:
            switch = f"--{flag}" if value else f"--no-{flag}"
            found.append((switch,) if isinstance(value, bool) else (f"--{flag}", str(value)))
    return found


# Without short flags: Invoke makes them of first letters, so that -t would be --tag here and --trust there.
task = functools.partial(invoke.task, klass=StackTask, auto_shortflags=False)
