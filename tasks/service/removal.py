"""Taking a service away with everything that it was made of."""

from ..engine import commands, label
from ..engine.engine import Engine
from ..engine.names import same_repository
from ..host.shell import ask
from . import versions
from .service import Service


def remove_all(service: Service) -> bool:
    """Remove a service's containers, its volume, its settings' weights' server and all three layers, and nothing else.

    An image that somebody's own container uses cannot be removed: docker says so.

    Returns:
        Whether there were containers or images.

    Raises:
        Exit: with code 1 for what cannot be removed.
    """
    engine, base = service.engine, service.settings.base
    containers = engine.containers()
    mine = {container.id for container in service.own(containers)}
    left = (label.REHEARSAL, label.RECOVERY, label.DEV)  # of a switch that was cut off; of `inv dev`
    weights = service.settings.weights.service
    servers = (weights, f"{weights}.former")
    containers = [
        one
        for one in containers
        if one.id in mine
        or any(one.labels.get(kind) == service.name for kind in left)
        or (one.name in servers and label.WEIGHTS in one.labels)
    ]
    for container in containers:
        service.do(commands.remove(container.id[:12], force=True), f"{container.name} cannot be removed.")
    images = [*made(engine, service.frame.image), *made(engine, base.image)]
    if engine.image(base.parent):
        images.append(base.parent)
    for image in images:
        service.do(commands.remove_image(image), f"{image} cannot be removed.")
    if ask(service.c, ["docker", "volume", "inspect", service.name], env=engine.environment).ok:
        service.do(commands.remove_volume(service.name), f"The volume {service.name} cannot be removed.")
    return bool(containers or images)


def made(engine: Engine, name: str) -> list[str]:
    """The images of this name: by reference, or by id if they lost it. Somebody's image made from one is not."""
    rows = engine.stamped(name)
    named = [tag for row in rows for tag in row.tags if same_repository(tag, name)]
    nameless = [image for row in rows if not row.tags and (image := engine.image(row.id))]
    ids = [row.id for row in rows]
    return [*named, *(image.id for image in nameless if not versions.is_child(engine, image, ids))]
