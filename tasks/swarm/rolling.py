"""A rollout: deploy, watch each node, and an end that leaves no mixture, or says what runs where."""

import tempfile
from contextlib import nullcontext
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
from . import check, failure, locking, patience, stack
from .fleet import Fleet, every, same
from .following import Going, follow, go_back, goes_back, goes_on
from .plan import pace_of
from .stack import KEY, Plan
from .watch import between_nodes

DEPLOY_HELP = ("docker", "stack", "deploy", "--help")


class Asked(Struct, frozen=True):
    """What the flags of `rollout` ask for."""

    force: bool
    take_over: bool


def roll_out(fleet: Fleet, plan: Plan, asked: Asked) -> None:
    """Bring a version to each node, one after another.

    Raises:
        Exit: with code 1 when a node does not run it in the end.
    """
    fleet = patience.patient(fleet)
    with patience.explained(fleet):
        bring(fleet, plan, asked)


def bring(fleet: Fleet, plan: Plan, asked: Asked) -> None:
    """See `roll_out`."""
    service, nodes = fleet.service, fleet.ready()
    content = stack.document(plan, service.settings.start)
    goal = Version(plan.image, stack.stamp_of(content), plan.tag)
    if not asked.force and runs_everywhere(fleet, goal):
        locking.tidy(fleet)
        say(f"{plan.tag} runs on {every(nodes)} already.")
        return
    pace = pace_of(service, plan.image, plan.command)
    mine = ticket.write(plan.tag, (), pace.patience * 3 * len(nodes))
    part = check.looked_at(content["services"][KEY], service.frame.port, first=fleet.now() is None)
    with locking.lock(fleet, part, mine, asked.take_over):
        before = fleet.now()
        not_busy(fleet, before, asked.take_over)
        if not service.dry:
            check.every_node(fleet, nodes, part)
            say(f"{every(nodes).capitalize()} can run it: {', '.join(node.name for node in nodes)}.")
            locking.keep(fleet, mine)
        known, detaches = failure.ids(fleet), "--detach" in ask(service.c, DEPLOY_HELP).stdout
        if before and before.noted == plan.image != before.version.image:  # deploy would keep what was set by hand
            command = commands.unlabel_service(fleet.name, label.STACK_IMAGE)
            service.do(command, f"{fleet.name} was not updated; see above.")
        marked = stack.text(stack.document(plan, service.settings.start, {label.TICKET: mine.text()}))
        going = Going(fleet, before.version if before else None, goal, pace, known, mine)
        with patience.explained(fleet, goes_on(going)):
            between_nodes(fleet)
            deploy(fleet, marked, detaches, mine)
            if before and same(before.version, goal):
                service.do(commands.replace_tasks(fleet.name), f"{fleet.name} was not updated; see above.")
        if not service.dry:
            follow(going)


def roll_back(fleet: Fleet, take_over: bool) -> None:
    """Return each node to what it ran before the last rollout.

    Raises:
        Exit: with code 1 when a node does not run it in the end, 2 when nothing is remembered.
    """
    fleet = patience.patient(fleet)
    with patience.explained(fleet):
        bring_back(fleet, take_over)


def bring_back(fleet: Fleet, take_over: bool) -> None:
    """See `roll_back`."""
    service, nodes = fleet.service, fleet.ready()
    locking.free(fleet, take_over)
    now = fleet.now()
    if now is None or now.before is None:
        way = fleet.way("--tag", "TAG")
        raise Exit(f"The swarm remembers no version of {fleet.name} before this one. Type: {way}", code=2)
    goal = now.before
    pace = pace_of(service, goal.image)
    mine = ticket.write(goal.tag, (), pace.patience * 3 * len(nodes))
    part = {"image": goal.image}
    with locking.lock(fleet, part, mine, take_over):
        if not service.dry:
            check.every_node(fleet, nodes, part)
            locking.keep(fleet, mine)
        known = failure.ids(fleet)
        with patience.explained(fleet, goes_back(fleet)):
            between_nodes(fleet)
            go_back(fleet, goal)
        if not service.dry:
            halfway = now.update == UPDATING  # what never came to its end is nothing to go back to
            with failure.forgotten(fleet, now.version.tag) if halfway else nullcontext():
                follow(Going(fleet, now.version, goal, pace, known, mine), returning=True)


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
