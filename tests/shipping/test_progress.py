"""What is shown of a transfer: no more than all, what need not be sent, and that the host unpacks once all is there."""

import pytest
from rich.progress import Progress

from tasks.shipping.meter import Meter
from tasks.shipping.progress import Bar, shown


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


def test_a_line_now_and_then_says_what_was_sent_and_how_fast_and_what_need_not_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with shown({"gpu1": 2_000_000, "gpu2": None}, 6_000_000) as meters:
        for meter in meters.values():
            meter.begun -= 100
            meter.add(1_000_000)
            meter.add(1_000_000)
    assert capsys.readouterr().out == (
        "gpu1: 1 MB sent, 10 kB a second, 4 MB left out\ngpu2: 1 MB sent, 10 kB a second\n"
    )
