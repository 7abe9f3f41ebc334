"""A rollout: deploy, watch each node, and an end that leaves no mixture, or says what runs where."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from invoke import Exit
from msgspec import Struct

from ..engine import commands, label
from ..engine.swarm import GOING_BACK, UPDATING, SwarmService, Version
from ..host.saying import say
from ..host.shell import ask
from ..host.text import printable, utc
from ..service import ticket
from . import check, ending, failure, stack, watch
from .fleet import Fleet, same
from .plan import pace_of
from .stack import KEY, Plan
from .watch import Pace

GONE_BACK = (GOING_BACK, "rollback_completed", "rollback_paused", "paused")


class Asked(Struct, frozen=True):
    """What the flags of `rollout` ask for."""

    force: bool
    take_over: bool


class Going(Struct, frozen=True):
    """A rollout under way: from what the service was (None: nothing) to what it is to be.

    `since` is when it began, by the manager's clock.
    """

    fleet: Fleet
    before: Version | None
    goal: Version
    pace: Pace
    since: float


def roll_out(fleet: Fleet, plan: Plan, asked: Asked) -> None:
    """Bring a version to each node, one after another.

    Raises:
        Exit: with code 1 when a node does not run it in the end.
    """
    service, nodes = fleet.service, fleet.ready()
    content = stack.document(plan, service.settings.start)
    goal = Version(plan.image, stack.stamp_of(content), plan.tag)
    if not asked.force and runs_everywhere(fleet, goal):
        say(f"{plan.tag} runs on each of the {len(nodes)} nodes already.")
        return
    pace = pace_of(service, plan.image, plan.command)
    mine = ticket.write(plan.tag, (), pace.patience * 3 * len(nodes))
    with check.lock(fleet, content["services"][KEY], mine, asked.take_over):
        before = fleet.now()
        not_busy(fleet, before, asked.take_over)
        if not service.dry:
            check.every_node(fleet, nodes, plan.image)
            say(f"Each of the {len(nodes)} nodes can run it: {', '.join(node.name for node in nodes)}.")
        since = service.engine.now()
        if before and before.noted == plan.image != before.version.image:  # deploy would keep what was set by hand
            command = commands.unlabel_service(fleet.name, label.STACK_IMAGE)
            service.do(command, f"{fleet.name} was not updated; see above.")
        deploy(fleet, stack.text(stack.document(plan, service.settings.start, {label.TICKET: mine.text()})))
        if before and same(before.version, goal):
            service.do(commands.replace_tasks(fleet.name), f"{fleet.name} was not updated; see above.")
        if not service.dry:
            follow(Going(fleet, before.version if before else None, goal, pace, since))


def roll_back(fleet: Fleet, take_over: bool) -> None:
    """Return each node to what it ran before the last rollout.

    Raises:
        Exit: with code 1 when a node does not run it in the end, 2 when nothing is remembered.
    """
    service, nodes = fleet.service, fleet.ready()
    check.free(fleet, take_over)
    now = fleet.now()
    if now is None or now.before is None:
        way = fleet.way("--tag", "TAG")
        raise Exit(f"The swarm remembers no version of {fleet.name} before this one. Type: {way}", code=2)
    goal = now.before
    pace = pace_of(service, goal.image)
    mine = ticket.write(goal.tag, (), pace.patience * 3 * len(nodes))
    with check.lock(fleet, {"image": goal.image}, mine, take_over):
        if not service.dry:
            check.every_node(fleet, nodes, goal.image)
        service.do(commands.roll_back(fleet.name), f"{fleet.name} was not rolled back; see above.")
        if not service.dry:
            follow(Going(fleet, now.version, goal, pace, service.engine.now()), returning=True)
            if now.update == UPDATING:  # it never came to its end
                failure.forget(fleet, now.version.tag)


def runs_everywhere(fleet: Fleet, goal: Version) -> bool:
    """Whether the service is this, and each node runs it."""
    now = fleet.now()
    return now is not None and same(now.version, goal) and all(row.up and row.runs(goal) for row in fleet.rows())


def not_busy(fleet: Fleet, now: SwarmService | None, take_over: bool) -> None:
    """Refuse where Swarm is at an update that nobody watches.

    Raises:
        Exit: with code 1, and who began it.
    """
    if now is None or now.update not in (UPDATING, GOING_BACK) or take_over:
        return
    began = ticket.of_text(now.ticket)
    who = f" ({printable(began.by)})" if began and began.tag == now.version.tag else ""
    see, back = fleet.way("--status"), fleet.way("--rollback")
    on = fleet.service.next_command("rollout", "--take-over")
    raise Exit(
        f"The swarm is updating {fleet.name} to {now.version.tag} since {utc(now.begun)}{who}. Nothing was changed. "
        f"To see it, type: {see}; to go back: {back}; to begin anew: {on}",
        code=1,
    )


def deploy(fleet: Fleet, content: str) -> None:
    """Hand a stack file to the swarm. It is readable by its owner alone: there may be passwords in it."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix=f"{fleet.stack}-") as file:
        file.write(content)
        file.flush()
        known = "--detach" in ask(fleet.service.c, ["docker", "stack", "deploy", "--help"]).stdout
        command = commands.deploy(Path(file.name), fleet.stack, known)
        fleet.service.do(command, "The swarm refused it; see above.")


def follow(going: Going, returning: bool = False) -> None:
    """Watch a rollout to its end, and undo it when it fails. `returning`: it is a way back itself.

    Raises:
        Exit: with code 1 when a node does not run the goal in the end.
    """
    fleet, goal = going.fleet, going.goal
    with explained(fleet):
        why = watch.until(fleet, goal, going.pace, failed(going, returning))
        if not why:
            return ending.good(fleet, goal)
        say(f"{goal.tag} failed: {why}.")
        failure.last_lines(fleet, goal, going.since)
        if fleet.now() is None:
            way = fleet.way("--tag", going.before.tag if going.before else goal.tag)
            raise Exit(f"No node runs {fleet.stack}. Type: {way}", code=1)
        if going.before is None:
            fleet.service.do(commands.remove_service(fleet.name), f"{fleet.name} is left; see above.")
            raise Exit(f"{goal.tag} was taken away again, and no node runs {fleet.stack}, as before.", code=1)
        old = going.before
        now = fleet.now()
        if now and not same(now.version, old):
            fleet.service.do(commands.roll_back(fleet.name), f"{fleet.name} was not rolled back; see above.")
        if same(old, goal) or watch.until(fleet, old, going.pace, lambda now: ""):
            push(going, old)
        failure.forget(fleet, goal.tag)
        raise ending.bad(fleet, goal, old)


def push(going: Going, goal: Version) -> None:
    """Make every task anew where going back failed too and Swarm itself does not try again, as without `--restart`.

    That interrupts the nodes that are well, so it is not done for one where Swarm tries again and again.
    """
    if not any(row.given_up for row in going.fleet.rows()):
        return
    say(f"Not every node runs {goal.tag}, so its tasks are made anew.")
    going.fleet.service.do(commands.replace_tasks(going.fleet.name), f"{going.fleet.name} was not updated; see above.")
    if why := watch.until(going.fleet, goal, going.pace, lambda now: ""):
        say(f"That failed too: {why}.")


def failed(going: Going, returning: bool) -> Callable[[SwarmService | None], str]:
    """The objection of `watch.until` for a rollout: a node has failed, or Swarm is going back from it by itself.

    Swarm goes back as soon as a node fails, but not in a first rollout, and not from a way back.
    """

    def objection(now: SwarmService | None) -> str:
        if now is None:
            return "somebody removed the service"
        wrong = failure.first(going.fleet, going.goal, going.since)
        if going.before is None or returning:
            return wrong
        if now.update in GONE_BACK or not same(now.version, going.goal):
            return wrong or now.about or "the swarm goes back"
        return ""

    return objection


@contextmanager
def explained(fleet: Fleet) -> Iterator[None]:
    """Say what becomes of a rollout that nobody watches any more."""
    try:
        yield
    except KeyboardInterrupt:
        see, back = fleet.way("--status"), fleet.way("--rollback")
        say(f"The swarm goes on by itself. To see it, type: {see}; to go back: {back}")
        raise
