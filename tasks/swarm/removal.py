"""Taking a service away from every node of a swarm."""

import time
from collections.abc import Mapping

from invoke import Exit

from ..engine import commands, swarm
from ..engine.swarm import SwarmService
from ..host import prompt
from ..host.saying import say
from . import locking
from .fleet import LOOK, Fleet
from .plan import pace_of


def remove(fleet: Fleet, yes: bool, take_over: bool) -> None:
    """Remove the service, once somebody has said yes. The images stay.

    Raises:
        Exit: with code 1 while a rollout is under way, 2 when nobody can be asked, 130 when the answer is no.
    """
    locking.free(fleet, take_over)
    now = fleet.now()
    if now is None:
        say(f"There is no {fleet.name} in this swarm.")
        return
    rows = fleet.rows()
    names = ", ".join(row.node.name for row in rows)
    if not (yes or fleet.service.dry):
        way = fleet.way("--remove", "--yes")
        prompt.confirm(f"Take {now.version.tag} away from {names or 'the swarm'}?", f"Nobody can be asked. Type: {way}")
    fleet.service.do(commands.remove_service(fleet.name), f"{fleet.name} cannot be removed; see above.")
    if not fleet.service.dry and fleet.now():
        raise Exit(f"{fleet.name} is still there. Type: docker service rm {fleet.name}", code=1)
    say(f"The nodes end {now.version.tag}: {names}." if names else f"{fleet.name} is gone. No node had it.")
    if names and not fleet.service.dry:
        await_end(fleet, now, {row.node.id: row.node.name for row in rows if row.node.state == "ready"})


def await_end(fleet: Fleet, service: SwarmService, nodes: Mapping[str, str]) -> None:
    """Wait until its containers have ended: a version that is started before finds the port taken.

    Args:
        nodes: names by id, of those that can end anything.

    Raises:
        Exit: with code 1 when one has not.
    """
    until = time.monotonic() + pace_of(fleet.service, service.version.image).patience
    while left := swarm.ending(fleet.service.engine, service.id) & nodes.keys():
        if time.monotonic() > until:
            names = ", ".join(sorted(nodes[node] for node in left))
            raise Exit(f"{service.version.tag} still runs on {names}. See there: docker ps", code=1)
        time.sleep(LOOK)
    say(f"{service.version.tag} has ended on {', '.join(nodes.values()) or 'no node that is up'}.")
