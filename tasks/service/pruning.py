"""Removing the containers of earlier versions that are no longer worth keeping."""

from invoke import Exit

from ..engine import commands
from ..engine.records import ContainerRow
from ..host.saying import say
from . import versions, whose
from .service import Service
from .situation import Situation


def prune(service: Service, before: Situation) -> None:
    """Remove the kept containers beyond `start.keep`, oldest first. The switch is over, so a failure is a warning.

    Anonymous volumes go with the containers that a switch made. Those of one that was started by hand stay: it may have
    been somebody's training, which an earlier release of this project took for a version of the service.

    Args:
        before: the situation before the switch.
    """
    kept: list[ContainerRow] = service.kept()
    if service.dry:  # nothing was renamed, so those that would have been are not among them yet
        kept = [*before.old, *kept]
    containers = service.engine.containers()
    switched = whose.by_switch(service.engine, containers)
    known = whose.replaced(one for one in containers if one.id in switched) | {one.id[:12] for one in before.old}
    taken = {container.name for container in containers}
    for container in kept[service.settings.start.keep :]:
        name = container.name
        if container.id not in switched and container.id[:12] not in known:
            continue  # somebody made it under such a name
        if container in before.old:
            name = versions.kept_name(service.name, container, taken)
        try:
            removing = commands.remove(container.id[:12], volumes=container.id in switched)
            service.do(removing, f"{name} cannot be removed.")
        except Exit as error:
            say(f"Warning: {error.message}")
