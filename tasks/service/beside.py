"""Containers beside the service, which are this project's too: watched when they start."""

import time

from invoke import Exit

from ..engine.engine import Engine
from ..host.text import printable

EVERY = 0.1  # seconds between two looks
LOG_LINES = 10


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
