"""A rollout is followed to its end: each node is watched, and when one fails, all go back."""

from collections.abc import Callable

from invoke import Exit
from msgspec import Struct

from ..engine import commands
from ..engine.swarm import GOING_BACK, WENT_BACK, SwarmService, Version
from ..host.saying import say
from ..service.ticket import Ticket
from . import ending, failure, locking, patience, watch
from .fleet import Fleet, same
from .watch import Pace

BACK = (GOING_BACK, WENT_BACK, "rollback_paused", "paused")


class Going(Struct, frozen=True):
    """A rollout under way: from what the service was (None: nothing) to what it is to be.

    `known` are the tasks of before it began, `mine` is what its lock says.
    """

    fleet: Fleet
    before: Version | None
    goal: Version
    pace: Pace
    known: frozenset[str]
    mine: Ticket


def follow(going: Going, returning: bool = False) -> None:
    """Watch a rollout to its end, and undo it when it fails. `returning`: it is a way back itself.

    Raises:
        Exit: with code 1 when a node does not run the goal in the end.
    """
    fleet, goal = going.fleet, going.goal
    with patience.explained(fleet, goes_back(fleet) if returning else goes_on(going)):
        why = watch.until(fleet, goal, going.pace, failed(going, returning))
        if not why:
            return ending.good(fleet, goal)
        say(f"{goal.tag} failed: {why}.")
        failure.last_lines(fleet, goal, going.known)
        if fleet.now() is None:
            way = fleet.way("--tag", going.before.tag if going.before else goal.tag)
            raise Exit(f"No node runs {fleet.stack}. Type: {way}", code=1)
        locking.keep(fleet, going.mine)
        if going.before is None:
            command = commands.remove_service(fleet.name)
            patience.act(fleet, command, f"{fleet.name} is left; see above.", lambda: fleet.now() is None)
            raise Exit(f"{goal.tag} was taken away again, and no node runs {fleet.stack}, as before.", code=1)
    with patience.explained(fleet, goes_back(fleet)), failure.forgotten(fleet, goal.tag):
        undo(going, going.before)
    raise ending.bad(fleet, goal, going.before)


def goes_on(going: Going) -> str:
    """What becomes of a rollout that nobody watches any more: a sentence, and what to type to undo it."""
    word, flag = ("go back", "--rollback") if going.before else ("take it away", "--remove")
    see = going.fleet.way("--status")
    return f"The swarm goes on by itself. To see it, type: {see}; to {word}: {going.fleet.way(flag)}"


def goes_back(fleet: Fleet) -> str:
    """The same of one that goes back. Nothing undoes that: it would lead to what failed, or was left."""
    return f"The swarm goes back by itself. To see it, type: {fleet.way('--status')}"


def undo(going: Going, old: Version) -> None:
    """Have each node go back to what it ran before."""
    fleet, now = going.fleet, going.fleet.now()
    locking.keep(fleet, going.mine)
    if now and not same(now.version, old):
        go_back(fleet, old)
    if same(old, going.goal) or watch.until(fleet, old, going.pace, kept(going)):
        push(going, old)


def go_back(fleet: Fleet, old: Version) -> None:
    """Have the swarm return to `old`; a second time that would lead away from it."""

    def done() -> bool:
        now = fleet.now()
        return now is None or same(now.version, old)

    patience.act(fleet, commands.roll_back(fleet.name), f"{fleet.name} was not rolled back; see above.", done)


def push(going: Going, goal: Version) -> None:
    """Make every task anew where going back failed too and Swarm itself does not try again, as without `--restart`.

    That interrupts the nodes that are well, so it is not done for one where Swarm tries again and again.
    """
    if not any(row.given_up for row in going.fleet.rows()):
        return
    say(f"Not every node runs {goal.tag}, so its tasks are made anew.")
    going.fleet.service.do(commands.replace_tasks(going.fleet.name), f"{going.fleet.name} was not updated; see above.")
    if why := watch.until(going.fleet, goal, going.pace, kept(going)):
        say(f"That failed too: {why}.")


def kept(going: Going) -> Callable[[SwarmService | None], str]:
    """The objection for a way back: none, while this run has the lock."""

    def objection(now: SwarmService | None) -> str:
        locking.keep(going.fleet, going.mine)
        return ""

    return objection


def failed(going: Going, returning: bool) -> Callable[[SwarmService | None], str]:
    """The objection of `watch.until` for a rollout: a node has failed, or Swarm is going back from it by itself.

    Swarm goes back as soon as a node fails, but not in a first rollout, and not from a way back.
    """

    def objection(now: SwarmService | None) -> str:
        locking.keep(going.fleet, going.mine)
        if now is None:
            return "somebody removed the service"
        # It was well there before, and what was interrupted may hold its port for a moment: Swarm tries once more.
        again = returning and not any(row.given_up for row in going.fleet.rows())
        wrong = failure.first(going.fleet, going.goal, going.known, spared=int(again))
        if going.before is None or returning:
            return wrong
        if now.update in BACK or not same(now.version, going.goal):
            return wrong or failure.given_up(going.fleet, now.about)
        return ""

    return objection
