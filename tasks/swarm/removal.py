"""Taking a service away from every node of a swarm."""

from invoke import Exit

from ..engine import commands
from ..host import prompt
from ..host.saying import say
from . import locking
from .fleet import Fleet


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
    names = ", ".join(row.node.name for row in fleet.rows())
    if not (yes or fleet.service.dry):
        way = fleet.way("--remove", "--yes")
        prompt.confirm(f"Take {now.version.tag} away from {names or 'the swarm'}?", f"Nobody can be asked. Type: {way}")
    fleet.service.do(commands.remove_service(fleet.name), f"{fleet.name} cannot be removed; see above.")
    if not fleet.service.dry and fleet.now():
        raise Exit(f"{fleet.name} is still there. Type: docker service rm {fleet.name}", code=1)
    say(f"The nodes end {now.version.tag}: {names}." if names else f"{fleet.name} is gone. No node had it.")
