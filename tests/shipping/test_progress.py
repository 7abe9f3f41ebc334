"""What a terminal shows of a transfer: no more than all, and that the host unpacks once all is there."""

import pytest
from rich.progress import Progress

from tasks.shipping.processes import Meter
from tasks.shipping.progress import Bar


@pytest.mark.parametrize("total", [100, None])
def test_a_bar_ends_where_the_archive_does(total: int | None) -> None:
    display = Progress()
    meter = Meter(Bar(display, bar := display.add_task("gpu1", total=total), "gpu1"))
    shown = display.tasks[bar]
    meter.add(90)
    assert (shown.completed, shown.total, shown.description) == (90, total, "gpu1")
    meter.add(20)
    assert (shown.completed, shown.total) == (110, total and 110)
    meter.complete()
    assert (shown.completed, shown.total, shown.description) == (110, 110, "gpu1 unpacks")
    meter.begin()
    meter.add(1)
    assert shown.description == "gpu1"
