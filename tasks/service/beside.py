"""Containers beside the service, which are this project's too: how they are started, and watched while they do."""

import time
from collections.abc import Sequence
from typing import Protocol

from invoke import Exit

from ..engine import commands
from ..engine.engine import Engine
from ..host import progress
from ..host.text import printable
from ..settings.model import Settings

EVERY = 0.1  # seconds between two looks
LOG_LINES = 10


class Owner(Protocol):
    """Whose container it is: a Service, or the weights' server."""

    @property
    def engine(self) -> Engine: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def dry(self) -> bool: ...

    def do(self, command: Sequence[str], failed: str) -> object: ...


def launch(owner: Owner, name: str, creating: Sequence[str], what: str, failed: str) -> None:
    """Create a container and start it; one that does not stay up for `start.settle` seconds is taken away.

    Args:
        creating: the command that creates it.
        what: what is done, for the line of the step.
        failed: the sentence to end with when it ends.

    Raises:
        Exit: with code 1.
    """
    owner.do(creating, f"{name} cannot be created.")
    try:
        with progress.step(what, owner.dry):
            owner.do(commands.start(name), f"{name} cannot be started.")
            if not owner.dry:
                stay_up(owner.engine, name, owner.settings.start.settle, failed)
    except Exit:
        owner.do(commands.remove(name, force=True), f"{name} cannot be removed.")
        raise


def stay_up(engine: Engine, name: str, seconds: float, failed: str) -> None:
    """Watch a container that was just started.

    Args:
        seconds: how long it must stay up.
        failed: the sentence to end with when it does not; its last lines are shown before.

    Raises:
        Exit: with code 1 and that sentence.
    """
    give_up = time.monotonic() + seconds
    while True:
        found = engine.container(name)
        if not found or not found.running or found.restarts:
            for line in engine.log(name, LOG_LINES) if found else ():
                print(f"{name} | {printable(line)}", flush=True)
            raise Exit(failed, code=1)
        if time.monotonic() > give_up:
            return
        time.sleep(EVERY)
