"""Which version is meant: the one with a tag, the newest, the one before, the one that runs."""

from collections.abc import Sequence

from invoke import Exit

from ..engine import label
from ..engine.names import valid_tag
from ..engine.records import ContainerRow, ImageRow
from ..host import document, prompt
from ..host.text import printable
from . import versions
from .service import Service


def pick(service: Service, tag: str, latest: bool, task: str = "start") -> ImageRow:
    """The version to start, or to do something else with.

    Args:
        tag: "" for none.
        latest: whether the newest is meant.
        task: what does it.

    Raises:
        Exit: with code 2 when there is none, no such one, or nobody to ask.
    """
    if tag and latest:
        raise Exit("Type either --tag TAG or --latest.", code=2)
    found = tagged(service, tag) if tag else newest(service) if latest else chosen(service, task)
    return versions.by_own_name(service.engine, service.frame, found)


def just_built(service: Service, tag: str) -> ImageRow:
    """The version that `frame` brought in this run. Under `--dry` it may not be there: then it has no id."""
    reference = f"{service.frame.image}:{tag}"
    if service.dry and service.engine.image(reference) is None:
        return ImageRow("", reference, {})
    return pick(service, tag, latest=False)


def tagged(service: Service, tag: str, flag: str = "--tag") -> ImageRow:
    """The version with this tag. `flag`: the one that it was named with.

    Raises:
        Exit: with code 2 when there is none, with those that there are.
    """
    found = service.engine.image(f"{service.frame.image}:{tag}") if valid_tag(tag) else None
    if found and label.names(found.labels, service.frame.image):
        return found
    what = f"There is no version {printable(tag)} of {service.frame.image}"
    raise missing(service, what, versions.each_once(service.engine.images(service.frame.image)), flag)


def newest(service: Service) -> ImageRow:
    """The newest version.

    Raises:
        Exit: with code 2 when there is none, or it cannot be told: one was dated by a clock that went wrong.
    """
    images = all_versions(service)
    found = images[0]
    if versions.dated_ahead(found) and not all(map(versions.dated_ahead, images)):
        dated = document.moment(found.created) or "far ahead"
        what = f"Version {found.tag} says that it was built {dated}, which is yet to come, so the newest cannot be told"
        raise missing(service, what, images)
    return found


def chosen(service: Service, task: str) -> ImageRow:
    """The only version, or the one that the person chooses for this task.

    Raises:
        Exit: with code 2 when there is none, or nobody to ask.
    """
    images = all_versions(service)
    if len(images) == 1:
        return images[0]
    running = {container.image for container in service.running()}
    answer = prompt.choose(
        f"Which version of {service.frame.image}?",
        versions.lines(images, running),
        f"Several versions are here and nobody can be asked. Type: {service.next_command(task, '--tag', 'TAG')}",
    )
    return next(image for image in images if image.tag == answer)


def all_versions(service: Service) -> list[ImageRow]:
    """Every version, newest first: at least one.

    Raises:
        Exit: with code 2 when there is none.
    """
    images = versions.each_once(service.engine.images(service.frame.image))
    if not images:
        raise missing(service, "", images)
    return images


def previous(service: Service) -> tuple[ContainerRow, ImageRow]:
    """The kept container of the version that ran before the one that runs, and its image.

    Where nothing runs and none is kept, that is the container that was stopped last.

    Raises:
        Exit: with code 2 when there is none.
    """
    running = {container.image for container in service.running()}
    stopped = [] if running else [one for one in service.own(service.engine.containers()) if one.name == service.name]
    for container in [*service.kept(), *stopped]:
        image = service.engine.image(container.image)
        if image and image.id not in running:
            return container, versions.by_own_name(service.engine, service.frame, image)
    way = service.way_to_run()
    raise Exit(f"There is no earlier version of {service.name} to return to. Type: {way}", code=2)


def running(service: Service, flag: str = "--tag") -> ImageRow:
    """The version that runs; its image may have lost its tag to a later build. `flag`: the one that names another.

    Raises:
        Exit: with code 2 when none runs, or several, with the versions that there are.
    """
    containers = service.running()
    serving = [one for one in containers if one.name == service.name]  # beside it, a rehearsal may run
    ids = {container.image for container in serving or containers}
    if len(ids) == 1 and (found := service.engine.image(*ids)):
        return versions.by_own_name(service.engine, service.frame, found)
    what = f"{len(ids)} versions of {service.frame.image} are running" if len(ids) > 1 else ""
    images = versions.each_once(service.engine.images(service.frame.image))
    raise missing(service, what or f"No version of {service.frame.image} is running", images, flag)


def running_or_newest(service: Service) -> ImageRow:
    """The version that runs, if one does; else the newest.

    Raises:
        Exit: with code 2 when there is none.
    """
    return running(service) if service.running() else newest(service)


def missing(service: Service, what: str, images: Sequence[ImageRow], flag: str = "--tag") -> Exit:
    """The sentence about a version that is not here, with those that are."""
    more = without_tag(service)
    if images:
        return Exit(f"{what}. Type {flag} with one of: {', '.join(image.tag for image in images)}.{more}", code=2)
    way = more or f" Type: {service.next_command('frame')}"
    return Exit(
        f"There is no version of {service.frame.image} on this engine{' that has a tag' * bool(more)}.{way}", code=2
    )


def without_tag(service: Service) -> str:
    """A sentence about the versions that a rollout has fetched by a digest, with how one gets its tag; "" for none."""
    remote, image = service.settings.in_registry(service.frame), service.frame.image
    found = [one for one in versions.here(service.engine.stamped(image), service.frame, remote) if one.by_digest]
    if not found:
        return ""
    tags = [versions.own_tag(one) for one in found]
    way = service.docker("image", "tag", found[0].reference, f"{image}:{tags[0] if valid_tag(tags[0]) else 'TAG'}")
    return (
        f" By a digest alone, as rollout fetches them, there are: {', '.join(tags)}. To give one its tag, type: {way}"
    )
