"""A rollout: deploy, watch each node, and an end that leaves no mixture, or says what runs where."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from invoke import Exit
from msgspec import Struct

from ..engine import commands, label
from ..engine.swarm import GOING_BACK, UPDATING, SwarmService, Version
from ..host.saying import say
from ..host.shell import Failed, ask
from ..host.text import printable, utc
from ..service import ticket
from ..service.ticket import Ticket
from . import check, ending, failure, patience, stack, watch
from .fleet import Fleet, same
from .plan import pace_of
from .stack import KEY, Plan
from .watch import Pace

DEPLOY_HELP = ("docker", "stack", "deploy", "--help")
GONE_BACK = (GOING_BACK, "rollback_completed", "rollback_paused", "paused")


class Asked(Struct, frozen=True):
    """What the flags of `rollout` ask for."""

    force: bool
    take_over: bool


class Going(Struct, frozen=True):
    """A rollout under way: from what the service was (None: nothing) to what it is to be.

    `known` are the tasks of before it began.
    """

    fleet: Fleet
    before: Version | None
    goal: Version
    pace: Pace
    known: frozenset[str]


def roll_out(fleet: Fleet, plan: Plan, asked: Asked) -> None:
    """Bring a version to each node, one after another.

    Raises:
        Exit: with code 1 when a node does not run it in the end.
    """
    fleet = patience.patient(fleet)
    with patience.explained(fleet, begun=False):
        bring(fleet, plan, asked)


def bring(fleet: Fleet, plan: Plan, asked: Asked) -> None:
    """See `roll_out`."""
    service, nodes = fleet.service, fleet.ready()
    content = stack.document(plan, service.settings.start)
    goal = Version(plan.image, stack.stamp_of(content), plan.tag)
    if not asked.force and runs_everywhere(fleet, goal):
        check.tidy(fleet)
        say(f"{plan.tag} runs on each of the {len(nodes)} nodes already.")
        return
    pace = pace_of(service, plan.image, plan.command)
    mine = ticket.write(plan.tag, (), pace.patience * 3 * len(nodes))
    part = check.looked_at(content["services"][KEY], service.frame.port, first=fleet.now() is None)
    with check.lock(fleet, part, mine, asked.take_over):
        before = fleet.now()
        not_busy(fleet, before, asked.take_over)
        if not service.dry:
            check.every_node(fleet, nodes, part)
            say(f"Each of the {len(nodes)} nodes can run it: {', '.join(node.name for node in nodes)}.")
        known, detaches = failure.ids(fleet), "--detach" in ask(service.c, DEPLOY_HELP).stdout
        if before and before.noted == plan.image != before.version.image:  # deploy would keep what was set by hand
            command = commands.unlabel_service(fleet.name, label.STACK_IMAGE)
            service.do(command, f"{fleet.name} was not updated; see above.")
        marked = stack.text(stack.document(plan, service.settings.start, {label.TICKET: mine.text()}))
        with patience.explained(fleet, begun=True):
            deploy(fleet, marked, detaches, mine)
            if before and same(before.version, goal):
                service.do(commands.replace_tasks(fleet.name), f"{fleet.name} was not updated; see above.")
            if not service.dry:
                follow(Going(fleet, before.version if before else None, goal, pace, known))


def roll_back(fleet: Fleet, take_over: bool) -> None:
    """Return each node to what it ran before the last rollout.

    Raises:
        Exit: with code 1 when a node does not run it in the end, 2 when nothing is remembered.
    """
    fleet = patience.patient(fleet)
    with patience.explained(fleet, begun=False):
        bring_back(fleet, take_over)


def bring_back(fleet: Fleet, take_over: bool) -> None:
    """See `roll_back`."""
    service, nodes = fleet.service, fleet.ready()
    check.free(fleet, take_over)
    now = fleet.now()
    if now is None or now.before is None:
        way = fleet.way("--tag", "TAG")
        raise Exit(f"The swarm remembers no version of {fleet.name} before this one. Type: {way}", code=2)
    goal = now.before
    pace = pace_of(service, goal.image)
    mine = ticket.write(goal.tag, (), pace.patience * 3 * len(nodes))
    part = {"image": goal.image}
    with check.lock(fleet, part, mine, take_over):
        if not service.dry:
            check.every_node(fleet, nodes, part)
        known = failure.ids(fleet)
        with patience.explained(fleet, begun=True):
            go_back(fleet, goal)
            if not service.dry:
                follow(Going(fleet, now.version, goal, pace, known), returning=True)
                if now.update == UPDATING:  # it never came to its end
                    failure.forget(fleet, now.version.tag)


def go_back(fleet: Fleet, old: Version) -> None:
    """Have the swarm return to `old`; a second time that would lead away from it."""

    def done() -> bool:
        now = fleet.now()
        return now is None or same(now.version, old)

    patience.act(fleet, commands.roll_back(fleet.name), f"{fleet.name} was not rolled back; see above.", done)


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


def deploy(fleet: Fleet, content: str, detaches: bool, mine: Ticket) -> None:
    """Hand a stack file to the swarm. It is readable by its owner alone: there may be passwords in it.

    Args:
        detaches: whether docker can be told not to wait.
        mine: what the service is labelled with, if the swarm took it.

    Raises:
        Failed: when it did not.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix=f"{fleet.stack}-") as file:
        file.write(content)
        file.flush()
        command = commands.deploy(Path(file.name), fleet.stack, detaches)
        try:
            fleet.service.do(command, "The swarm refused it; see above. Nothing was changed.")
        except Failed:
            now = fleet.now()
            if now is None or now.ticket != mine.text():  # else the leader was lost once it had taken it
                raise


def follow(going: Going, returning: bool = False) -> None:
    """Watch a rollout to its end, and undo it when it fails. `returning`: it is a way back itself.

    Raises:
        Exit: with code 1 when a node does not run the goal in the end.
    """
    fleet, goal = going.fleet, going.goal
    why = watch.until(fleet, goal, going.pace, failed(going, returning))
    if not why:
        return ending.good(fleet, goal)
    say(f"{goal.tag} failed: {why}.")
    failure.last_lines(fleet, goal, going.known)
    if fleet.now() is None:
        way = fleet.way("--tag", going.before.tag if going.before else goal.tag)
        raise Exit(f"No node runs {fleet.stack}. Type: {way}", code=1)
    if going.before is None:
        command = commands.remove_service(fleet.name)
        patience.act(fleet, command, f"{fleet.name} is left; see above.", lambda: fleet.now() is None)
        raise Exit(f"{goal.tag} was taken away again, and no node runs {fleet.stack}, as before.", code=1)
    old = going.before
    now = fleet.now()
    if now and not same(now.version, old):
        go_back(fleet, old)
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
        wrong = failure.first(going.fleet, going.goal, going.known)
        if going.before is None or returning:
            return wrong
        if now.update in GONE_BACK or not same(now.version, going.goal):
            return wrong or now.about or "the swarm goes back"
        return ""

    return objection
