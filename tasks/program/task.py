"""The decorator of this project's tasks: each ends in the same way whoever runs it, this project's `inv` or pip's."""

import functools
from typing import Any

import invoke

from ..host import signals
from .endings import told


class StackTask(invoke.Task[Any]):
    """Invoke's task, which an interrupt ends with 130, and whatever else ends it with a sentence."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with told(), signals.as_interrupts():
            return super().__call__(*args, **kwargs)


task = functools.partial(invoke.task, klass=StackTask)
