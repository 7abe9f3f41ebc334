"""Stopping a service, so that a reboot does not bring it back."""

from invoke import Exit

from ..engine import commands
from . import versions
from .service import Service
from .situation import notice, unfinished


def stop(service: Service) -> None:
    """Stop every version that runs, and say how to start it again.

    Raises:
        Exit: with code 1 while a switch is under way.
    """
    if under_way := notice(service):
        raise Exit(f"{under_way} Nothing was changed.", code=1)
    running = service.running()
    if not running:
        print(f"No version of {service.frame.image} is running.")
        return
    for container in running:
        details = service.engine.container(container.id)
        if details and details.restarts_by_itself:
            service.do(commands.no_restart(container.name), f"{container.name} cannot be updated.")
        service.do(commands.stop(container.name), f"{container.name} cannot be stopped.")
    if service.dry:
        return
    first = running[0]
    if unfinished(service) or service.running():
        raise Exit(f"{first.name} was stopped, but somebody else starts a version in this moment.", code=1)
    image = service.engine.image(first.image)
    tag = "TAG"
    if image:
        tag = versions.tag_of(service.frame, versions.by_own_name(service.engine, service.frame, image))
    print(f"{first.name} is stopped. To start it again: {service.next_command('start', '--tag', tag)}")
