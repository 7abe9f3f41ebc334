"""The lock of a rollout: the job that looks at each node, of which there is one. Its ticket says whose it is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from invoke import Exit

from ..engine import commands, label, swarm
from ..engine.client import Unreachable
from ..host.saying import say
from ..host.shell import Failed
from ..service import ticket
from ..service.ticket import Ticket
from . import failure, patience
from .check import options
from .fleet import Fleet

TAKING = 1.0  # seconds between the end of a lock and the one of whoever takes it over


def holder(fleet: Fleet) -> Ticket | None:
    """Who has the lock: a rollout under way. None without one, and where its run was killed."""
    engine = fleet.service.engine
    found = swarm.service(engine, fleet.job)
    holder = ticket.of_text(found.ticket) if found else None
    return holder if found and holder and not holder.gone(engine.now() - found.created) else None


@contextmanager
def lock(fleet: Fleet, part: dict[str, Any], mine: Ticket, take_over: bool) -> Iterator[None]:
    """Hold the lock of a rollout, which is the job that looks at each node, for the time of the block.

    Args:
        part: the service in the stack file.

    Raises:
        Exit: with code 1, when somebody else has it.
    """
    free(fleet, take_over)
    over, left = commands.remove_service(fleet.job), f"{fleet.job} is left. Type: docker service rm {fleet.job}"
    command = commands.job(fleet.job, part["image"], options(fleet.stack, part), {label.TICKET: mine.text()})
    try:
        fleet.service.do(command, f"The job that looks at each node, {fleet.job}, was not made; see above.")
    except Failed:
        if not has(fleet, mine):  # else the leader was lost once it had made it
            free(fleet, False)  # somebody else may have been faster
            raise
    try:
        yield
    except BaseException:
        try:
            if fleet.service.dry or has(fleet, mine):
                fleet.service.do(over, left)
        except (Failed, Unreachable):
            say(left)  # why the rollout ends is said after it
        raise
    if fleet.service.dry or has(fleet, mine):
        patience.act(fleet, over, left, lambda: not has(fleet, mine))


def has(fleet: Fleet, mine: Ticket) -> bool:
    """Whether this run still has the lock: somebody may have taken it over."""
    found = swarm.service(fleet.service.engine, fleet.job)
    return found is not None and found.ticket == mine.text()


def keep(fleet: Fleet, mine: Ticket) -> None:
    """See to it that this run still has the lock.

    Raises:
        Exit: with code 1, when somebody has taken it.
    """
    if has(fleet, mine):
        return
    time.sleep(TAKING)
    other = holder(fleet)
    who = f"{other.who()}, and has taken this over" if other else f"Somebody has removed {fleet.job}"
    raise Exit(f"{who}. Nothing more is done here. See: {fleet.way('--status')}", code=1)


def tidy(fleet: Fleet) -> None:
    """Take the lock away that a run left which is gone."""
    found = swarm.service(fleet.service.engine, fleet.job)
    if found and ticket.of_text(found.ticket) and holder(fleet) is None:
        free(fleet, False)


def free(fleet: Fleet, take_over: bool) -> None:
    """Make sure that nobody else has the lock; one whose run is gone is taken away.

    Raises:
        Exit: with code 1, and who has it.
    """
    found = swarm.service(fleet.service.engine, fleet.job)
    if found is None:
        return
    holder = ticket.of_text(found.ticket)
    if holder is None:
        way = f"If nobody needs it, type: docker service rm {fleet.job}"
        raise Exit(f"{fleet.job} is in this swarm, and no rollout made it. Nothing was changed. {way}", code=1)
    who = holder.who()
    gone = holder.gone(fleet.service.engine.now() - found.created)
    if take_over or gone:
        say(f"{who}: that run is over." if gone else f"{who}: this run takes over.")
        failure.forget(fleet, holder.tag)  # it may have ended between going back and this
        fleet.service.do(commands.remove_service(fleet.job), f"{fleet.job} cannot be removed; see above.")
        return
    way = fleet.service.next_command("rollout", "--take-over")
    raise Exit(f"{who}. Nothing was changed. If that run is gone for good, type: {way}", code=1)
