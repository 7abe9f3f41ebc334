"""A frame's versions in a registry: what they are called there, which are here too, and whether one may be taken."""

from collections.abc import Sequence

from invoke import Exit
from msgspec import Struct
from msgspec.structs import replace

from ..engine import commands, label, swarm
from ..engine.engine import in_order as by_numbers
from ..engine.names import valid_tag
from ..engine.records import Image
from ..host import document, prompt, table
from ..host.saying import say
from ..host.text import brief
from . import order
from .service import Service

MOST = 20  # tags in a sentence
HEADS = ("tag", "here", "state")


class Wishes(Struct, frozen=True):
    """What the flags of `pull` ask for. `force`: even if the tag names another image here."""

    force: bool
    trust: bool
    yes: bool


class Version(Struct, frozen=True):
    """A version that the registry has: whether its tag names an image `here` too, and the service runs that."""

    tag: str
    here: bool
    running: bool


class Versions(Struct, frozen=True):
    """The versions of a frame in the registry; `repository` is what docker calls them there."""

    repository: str
    versions: tuple[Version, ...]


def repository(service: Service) -> str:
    """What docker calls the frame's images in the registry.

    Raises:
        Exit: with code 2 where the settings name no registry, and the image's own name has none.
    """
    if found := service.settings.in_registry(service.frame):
        return found
    raise Exit("No registry is named. Set stack.registry, such as registry.example.com:5000 or localhost:5000.", code=2)


def reference(service: Service, tag: str) -> str:
    """A version's reference in the registry.

    Raises:
        Exit: with code 2 for what can be no tag.
    """
    if not valid_tag(tag):
        raise Exit(f"{brief(tag)} is no tag.", code=2)
    return f"{repository(service)}:{tag}"


def arrived(service: Service, tag: str, digest: str) -> str:
    """The sentence that a version is in the registry; on a swarm's manager, with what rolls it out.

    Args:
        digest: what the registry calls it; "" where the engine does not say.
    """
    if not digest:
        return f"{reference(service, tag)} is in the registry."
    said = f"{reference(service, tag)} is in the registry, as {digest}."
    if not swarm.manages(service.engine):
        return said
    return f"{said}\nTo roll it out, type: {service.next_command('rollout', '--tag', tag, '--digest', digest)}"


def in_order(tags: Sequence[str]) -> list[str]:
    """Tags by their numbers, the highest first."""
    return sorted(tags, key=by_numbers, reverse=True)


def show(service: Service, tags: Sequence[str], json: bool) -> None:
    """Print the versions that the registry has."""
    found = Versions(repository(service), tuple(versions(service, tags)))
    if json:
        document.show(found)
    elif not found.versions:
        say(f"{found.repository} has no versions.")
    else:
        rows = [(one.tag, "yes" if one.here else "no", "running" if one.running else "") for one in found.versions]
        table.show("", HEADS, rows)


def versions(service: Service, tags: Sequence[str]) -> list[Version]:
    """What is here of these versions."""
    here = {image.tag: image.id for image in service.engine.images(service.frame.image)}
    running = {container.image for container in service.running()}
    return [Version(tag, tag in here, here.get(tag) in running) for tag in tags]


def chosen(service: Service, tags: Sequence[str]) -> str:
    """The only version, or the one that the person chooses.

    Raises:
        Exit: with code 2 when there is none, or nobody to ask.
    """
    if not tags:
        way = service.next_command("push")
        raise Exit(f"{repository(service)} has no versions. Where one was built, type: {way}", code=2)
    if len(tags) == 1:
        return tags[0]
    lines = {one.tag: f"{one.tag}{'  here' if one.here else ''}" for one in versions(service, tags)}
    way = service.next_command("pull", "--tag", "TAG")
    return prompt.choose(
        f"Which version of {repository(service)}?",
        lines,
        f"The registry has several versions and nobody can be asked. Type: {way}",
    )


def refuse_unknown(service: Service, tag: str, tags: Sequence[str]) -> None:
    """Refuse a tag that the registry does not have.

    Raises:
        Exit: with code 2, and those that it has.
    """
    if tag not in tags:
        way = f"Type --tag with one of: {some(tags)}." if tags else f"It has none: {service.next_command('push')}"
        raise Exit(f"{repository(service)} has no version {tag}. {way}", code=2)


def some(tags: Sequence[str]) -> str:
    """Tags for a sentence: no more of them than can be read."""
    more = len(tags) - MOST
    return ", ".join(tags[:MOST]) + (f" and {more} more" if more > 0 else "")


def accept(service: Service, image: Image | None, tag: str, wishes: Wishes) -> str:
    """Give an image that was pulled its name here, if it is a version of the frame, and could be started.

    Args:
        image: None under `--dry`.

    Returns:
        The sentence that says where it is now; "" under `--dry`.

    Raises:
        Exit: with code 1 when it is none, its recommended command is refused, or the tag names another image here.
    """
    local = f"{service.frame.image}:{tag}"
    here = service.engine.image(local)
    if image:
        if not label.names(image.labels, service.frame.image):
            said = brief(image.labels.get(label.NAME, "")) or "nothing"
            raise Exit(f"{image.reference} is no version of {service.frame.image}: its label says {said}.", code=1)
        if here and service.engine.alike(here, image):
            return f"{local} is here already."
        if here and not wishes.force:
            commits = [brief(label.commit_of(one.labels)) for one in (here, image)]
            what = f"{local} names another image here (commit {commits[0]}) than in the registry (commit {commits[1]})."
            raise Exit(f"{what} To move the tag: {service.next_command('pull', '--tag', tag, '--force')}", code=1)
        asked = order.Wishes(wait=0, rehearsal=False, trust=wishes.trust, yes=wishes.yes)
        order.checked_command(service, replace(image, reference=local), asked)
    service.do(
        commands.tag_image(image.id if image else reference(service, tag), local), f"{local} cannot be named so."
    )
    return "" if service.dry else f"{local} is here. To start it: {service.next_command('start', '--tag', tag)}"
