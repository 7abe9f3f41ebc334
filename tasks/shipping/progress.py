"""How far the images to several hosts are: a bar each on a terminal, a line now and then elsewhere."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..host.saying import say
from ..host.text import size
from .meter import Meter

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EVERY = 10.0  # seconds between two lines about one host


@contextmanager
def shown(totals: Mapping[str, int | None], whole: int) -> Iterator[dict[str, Meter]]:
    """A display for the time of the block, with a meter for each host.

    Args:
        totals: each host's name, and the bytes that go there, None where that is not known.
        whole: the bytes of all layers.
    """
    left = {name: 0 if total is None else max(whole - total, 0) for name, total in totals.items()}
    if not sys.stdout.isatty():
        yield {name: Meter(Lines(name), left[name]) for name in totals}
        return
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    spared = TextColumn("{task.fields[left]}")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), spared)
    with Progress(*columns, transient=True) as display:
        bars = {
            name: display.add_task(escape(name), total=total, left=left_out(left[name]))
            for name, total in totals.items()
        }
        yield {name: Meter(Bar(display, bar, name), left[name]) for name, bar in bars.items()}


class Bar:
    """Shows on a terminal how much was sent, and that a host unpacks once all is there."""

    def __init__(self, display: "Progress", bar: "TaskID", name: str) -> None:
        self.display, self.bar, self.name = display, bar, name

    def __call__(self, meter: Meter) -> None:
        from rich.markup import escape

        total = self.display.tasks[self.bar].total
        if meter.fed or (total is not None and meter.sent > total):  # an archive is larger than the layers in it
            total = meter.sent
        what = f"{self.name} unpacks" if meter.fed else self.name
        self.display.update(self.bar, completed=meter.sent, total=total, description=escape(what))


class Lines:
    """Says every few seconds how much was sent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.said = 0.0

    def __call__(self, meter: Meter) -> None:
        if meter.fed and not self.said:  # it went fast
            return
        if meter.fed or meter.seconds - self.said >= EVERY:
            self.said = meter.seconds
            say(f"{self.name}: {told(meter)}{'; it unpacks' if meter.fed else ''}")


def told(meter: Meter) -> str:
    """What was sent so far, and how fast, and what need not be."""
    words = [f"{size(meter.sent)} sent", f"{size(meter.speed)} a second"]
    return ", ".join([*words, left_out(meter.left)] if meter.left else words)


def left_out(count: int) -> str:
    return f"{size(count)} left out" if count else ""
