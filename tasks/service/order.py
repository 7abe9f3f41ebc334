"""What a switch is asked for: a version, the checked command to run it by, and the flags of the task."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke import Exit
from msgspec import Struct

from ..engine import label
from ..engine.records import ImageRow
from ..host import prompt
from ..host.saying import say
from ..host.text import printable
from . import pick, reach, record, versions
from .service import Service

if TYPE_CHECKING:
    from ..recommended.command import Recommended
    from ..recommended.limits import Allowed


class Wishes(Struct, frozen=True):
    """What the flags of `start` and `rollback` ask for; `wait` in seconds."""

    wait: int
    rehearsal: bool
    trust: bool
    yes: bool
    force: bool = False
    from_settings: bool = False


class Order(Struct, frozen=True):
    """Run `image`, under its `tag`, by `command`.

    `ports` are those of the host that it takes, as `reach.taken`. `force`: even if this image runs. `wait`: seconds for
    the end of somebody else's switch.
    """

    image: ImageRow
    tag: str
    command: "Recommended"
    ports: reach.Ports
    rehearse: bool
    force: bool
    wait: float


def order_for(service: Service, image: ImageRow, wishes: Wishes) -> Order:
    """The order for a version, once its recommended command is found to be safe.

    Raises:
        Exit: as `checked_command` does.
    """
    tag = versions.tag_of(service.frame, image)
    command = checked_command(service, image, wishes)
    ports = reach.taken(service, command)
    rehearse = wishes.rehearsal and service.settings.start.rehearse
    return Order(image, tag, command, ports, rehearse, wishes.force, wishes.wait)


def returning(service: Service, wishes: Wishes) -> Order:
    """The order for the version that ran before: as it ran, by the record on its container, if that has one.

    What it may do was checked when the record was written.

    Raises:
        Exit: with code 2 when there is none, else as `checked_command` does.
    """
    container, image = pick.previous(service)
    command = record.read(record.of(container, image))
    if wishes.from_settings or not command:
        if not wishes.from_settings:
            say(f"How {container.name} was run is recorded nowhere: it runs as its image recommends.")
        return order_for(service, image, wishes)
    tag, ports = versions.tag_of(service.frame, image), reach.taken(service, command)
    return Order(image, tag, command, ports, wishes.rehearsal, wishes.force, wishes.wait)


def checked_command(service: Service, image: ImageRow, wishes: Wishes) -> "Recommended":
    """The image's recommended command, or that of the settings, checked.

    Raises:
        Exit: with code 1 when it is refused, 2 when somebody would have to be asked and nobody is there.
    """
    from ..recommended.command import check, parse, unusual

    reference = f"{service.frame.image}:{versions.tag_of(service.frame, image)}"
    text = command_text(service, image, wishes.from_settings)
    allowed = allowance(service)
    if not wishes.trust:
        command = check(text, reference, allowed)
    else:
        command = parse(text, reference)
        if found := unusual(command, allowed):
            agree(text, found, wishes.yes)
    if command.name != service.name:
        say(f"Its label calls the service {printable(command.name)}; here it is {service.name}.")
    return command


def allowance(service: Service) -> "Allowed":
    """What the settings allow a recommended command to ask for."""
    from ..recommended.limits import Allowed

    start, local = service.settings.start, service.engine.shares_files
    return Allowed(start.allow, (service.settings.data, *start.volumes), start.env_files, local)


def command_text(service: Service, image: ImageRow, from_settings: bool) -> str:
    """The recommended command as it is written: in the image's label, or in the settings.

    Raises:
        Exit: with code 1 when the label says nothing.
    """
    tag = versions.tag_of(service.frame, image)
    if from_settings or not image.id:  # without an id: --dry, and the image is not built yet
        return shlex.join(service.frame.recommended_command(tag))
    text = image.labels.get(label.COMMAND, "")
    if not text.strip():
        reference = f"{service.frame.image}:{tag}"
        raise Exit(
            f"{reference} has no recommended command in its label. Type --from-settings to use invoke.yaml's.", code=1
        )
    return text


def agree(text: str, unusual: Sequence[str], yes: bool) -> None:
    """Show an unusual command and ask whether to run it.

    Raises:
        Exit: with code 2 without a terminal and without --yes, 130 when the answer is no.
    """
    say(f"The recommended command is\n  {printable(text)}\nUnusual in it:")
    for sentence in unusual:
        say(f"  - {sentence}")
    if not yes:
        prompt.confirm("Run it all the same?", "Nobody can be asked. Type --yes with --trust to run it all the same.")
