"""Removing the containers of earlier versions that are no longer worth keeping."""

from invoke import Exit

from ..engine import commands
from . import versions
from .service import Service
from .situation import Situation


def prune(service: Service, before: Situation) -> None:
    """Remove the kept containers beyond `start.keep`, oldest first. The switch is over, so a failure is a warning.

    Args:
        before: the situation before the switch.
    """
    kept = [container.name for container in service.kept()]
    if service.dry:  # nothing was renamed, so those that would have been are not among them yet
        taken = {container.name for container in service.engine.containers()}
        kept = [*(versions.kept_name(service.name, container, taken) for container in before.old), *kept]
    for name in kept[service.settings.start.keep :]:
        try:
            service.do(commands.remove(name), f"{name} cannot be removed.")
        except Exit as error:
            print(f"Warning: {error.message}", flush=True)
