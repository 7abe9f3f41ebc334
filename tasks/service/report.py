"""What is said at the end of a switch."""

import time
from contextlib import suppress

from ..engine import label
from ..engine.client import Unreachable
from .connections import Hold
from .order import Order
from .service import Service
from .situation import Situation


def report(service: Service, order: Order, before: Situation, answered: float | None, hold: Hold) -> str:
    """The sentence that says which version runs now, which one before, and what clients saw of it; "" under `--dry`.

    Args:
        answered: when the new version's health check first succeeded, on the monotonic clock; None if it has none.
    """
    if service.dry:
        return ""
    parts = [f"{order.tag} runs as {service.name}"]
    if before.running:
        versions = ", ".join(label.version_of(container.labels, container.image) for container in before.running)
        parts.append(f"before: {versions}")
        seen = []
        number = next((number for _, number in order.ports), service.frame.port)
        if number and answered is not None and (silent := silence(service, before, answered)) is not None:
            seen.append(f"port {number} was silent for {silent} ms")
        if hold.said:
            seen.append(hold.said)
        parts += [", ".join(seen)] if seen else []
    return "; ".join(parts) + "."


def silence(service: Service, before: Situation, answered: float) -> int | None:
    """For how many milliseconds nobody served, by what the switch itself knows; None where it does not.

    From the end of the old version's process, which the engine notes to the nanosecond, to the first success of the new
    version's health check, which is run every 50 ms. That moment is by this machine's clock; the engine is asked for
    its time now, and the seconds since then are taken off, so that a host whose clock goes wrong does not matter: the
    error is half of that question's way at most.

    No client was asked, so this is not quite what one sees: the port falls silent earlier where a version closes it
    before its process ends, and answers up to 50 ms, and the time of one check, before the check finds out.
    """
    engine = service.engine
    with suppress(Unreachable):  # the switch is over, whether this can be said or not
        ends = [found.finished for container in before.running if (found := engine.container(container.id))]
        if any(ends):  # else somebody removed it meanwhile
            asked = time.monotonic()
            now = engine.now()
            since = (asked + time.monotonic()) / 2 - answered
            return round(max(now - since - max(ends), 0.0) * 1000)
    return None


def down(service: Service, before: Situation, since: float) -> str:
    """A sentence about how long the old version was down, where it was stopped and has come back; or "".

    By the engine's own clock alone: from the end of its process to the start of the next, which answers a little later.

    Args:
        since: when the switch began, by that clock: what ended before is another story.
    """
    with suppress(Unreachable):  # the old version is back, whether this can be said or not
        olds = [found for container in before.running if (found := service.engine.container(container.id))]
        gaps = [one.started - one.finished for one in olds if one.running and since < one.finished < one.started]
        if gaps:
            return f" It was down for {round(max(gaps) * 1000)} ms."
    return ""
