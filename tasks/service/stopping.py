"""Stopping a service, so that a reboot does not bring it back."""

from invoke import Exit

from ..engine import commands
from ..host.saying import say
from . import acts, versions
from .service import Service
from .situation import notice, unfinished


def stop(service: Service) -> None:
    """Stop the service, and say how to start it again.

    Raises:
        Exit: with code 1 while a switch is under way.
    """
    if under_way := notice(service):
        raise Exit(f"{under_way} Nothing was changed.", code=1)
    running = service.running()
    for container in running:
        service.do(commands.stop(acts.short(container)), f"{container.name} cannot be stopped.")
    # Also one that a run had stopped which was killed before it came to this.
    stopped = [one for one in service.own(service.engine.containers()) if one.name == service.name]
    for container in {one.id: one for one in (*running, *stopped)}.values():
        acts.stay_down(service, container)
    if not running:
        say(f"No version of {service.frame.image} is running.")
        return
    if service.dry:
        return
    first = running[0]
    if unfinished(service) or service.running():
        raise Exit(f"{first.name} was stopped, but somebody else starts a version in this moment.", code=1)
    image = service.engine.image(first.image)
    tag = "TAG"
    if image:
        tag = versions.tag_of(service.frame, versions.by_own_name(service.engine, service.frame, image))
    say(f"{first.name} is stopped. To start it again: {service.next_command('start', '--tag', tag)}")
