"""Measuring side by side: two ways of doing the same, in turns, so that a busy machine slows both."""

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from msgspec import Struct

Side = Callable[[], float]  # does it once, and says how many seconds that took
PARENT = os.getppid()


class Row(Struct, frozen=True):
    """One row of the table.

    `old` and `new` have one value a run: seconds, or what `unit` names. `goal` is the highest ratio that is good.
    """

    name: str
    what_old: str
    what_new: str
    old: tuple[float, ...]
    new: tuple[float, ...]
    goal: float
    unit: str = ""

    @property
    def ratio(self) -> float:
        """The new median as a multiple of the old one: below 1 is faster."""
        return median(self.new) / median(self.old)

    @property
    def met(self) -> bool:
        return self.ratio <= self.goal


def interleaved(old: Side, new: Side, runs: int, warm_up: bool = True) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Run both sides in turns, after one run of each that does not count.

    Args:
        warm_up: False where a side has just been run and a run takes long.

    Returns:
        The seconds of the old side's runs and of the new side's.

    Raises:
        SystemExit: when whoever started this is gone.
    """
    if warm_up:
        old(), new()
    pairs = []
    for _ in range(runs):
        if os.getppid() != PARENT:
            raise SystemExit("Stopped: the task that started this is gone.")
        pairs.append((old(), new()))
    before, after = zip(*pairs, strict=True)
    return before, after


def timed(
    command: Sequence[str],
    says: str,
    where: Path,
    environment: Mapping[str, str] | None = None,
    answer: str = "",
    code: int = 0,
) -> float:
    """The seconds that a command takes from its start to its end.

    Args:
        says: what its output must contain: a fast failure is no result.
        answer: its standard input.
        code: the exit code that it must have.

    Raises:
        SystemExit: when it does anything else.
    """
    begun = time.perf_counter()
    done = subprocess.run(
        command, cwd=where, env=environment, input=answer, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    seconds = time.perf_counter() - begun
    if done.returncode != code or says not in done.stdout:
        typed = shlex.join(command)
        raise SystemExit(f"This cannot be measured: {typed} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return seconds


def side(*arguments: object, **more: object) -> Side:
    """`timed` with these arguments, for later."""
    return lambda: timed(*arguments, **more)  # type: ignore[arg-type]
