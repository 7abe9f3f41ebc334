"""How a rollout ended: what runs where, and what to type where that is not what it should be."""

from invoke import Exit

from ..engine.swarm import Version
from ..host.saying import say
from . import table
from .fleet import Fleet, every, state_of


def good(fleet: Fleet, goal: Version) -> None:
    """Say how it ended where each node that is up runs the goal.

    Raises:
        Exit: with code 1 when a node is not up.
    """
    rows = fleet.rows()
    table.show(rows)
    away = [row.node for row in rows if not (row.up and row.runs(goal))]
    if away:
        which = ", ".join(f"{node.name} ({state_of(node)})" for node in away)
        aside = next((node.name for node in away if node.state == "ready"), "")
        back = f"To bring it back, type: docker node update --availability active {aside}; to see it: " if aside else ""
        raise Exit(
            f"{goal.tag} runs on {len(rows) - len(away)} of {len(rows)} nodes, and not on {which}, where the swarm "
            f"starts it when it is back. {back or 'See: '}{fleet.way('--status')}",
            code=1,
        )
    say(f"{goal.tag} runs on {every(rows)}.")


def bad(fleet: Fleet, goal: Version, old: Version) -> Exit:
    """The end of a rollout that failed, after a table of what runs where. `old`: what each node should run again."""
    rows = fleet.rows()
    table.show(rows)
    wrong = [row for row in rows if not (row.up and row.runs(old))]
    if not wrong:
        before = " as before" if old.tag == goal.tag else ""  # in another way
        return Exit(f"{goal.tag} failed, and {every(rows)} runs {old.tag}{before}.", code=1)
    names, see = ", ".join(row.node.name for row in wrong), fleet.way("--status")
    said = f"{goal.tag} failed, and not every node runs {old.tag}: {names}."
    if not any(row.given_up for row in wrong):
        return Exit(f"{said} The swarm tries again by itself until the cause is gone. See: {see}", code=1)
    return Exit(
        f"{said} When the cause is gone, type: docker service update --force {fleet.name} (it makes the container of "
        f"each node anew), and see: {see}",
        code=1,
    )
