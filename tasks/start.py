"""The tasks `start`, `stop` and `rollback`: which version of the service runs."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke import Context, Exit
from msgspec import Struct

from .engine import commands, engine, label
from .engine.engine import Engine
from .engine.names import valid_tag
from .engine.records import ImageRow
from .host import prompt
from .program.task import task
from .service import data_folders as datadir
from .service import recovery, switch
from .service import versions as service
from .settings.model import Frame, Settings
from .settings.this_run import built, load_settings, next_command

if TYPE_CHECKING:
    from .recommended.command import Recommended

NAME_HELP = "Which frame, a key under stack.frames; needed only when there are several."
SWITCH_HELP = {
    "name": NAME_HELP,
    "wait": "Seconds to wait for somebody else's switch to end.",
    "rehearsal": "Try the version beside the old one first; --no-rehearsal if it cannot run twice at a time.",
    "from-settings": "Run it as today's settings say, not as its label does.",
    "trust": "Show a recommended command that goes beyond start.allow, and ask whether to run it.",
    "yes": "With --trust: do not ask.",
}


@task(
    help={
        **SWITCH_HELP,
        "tag": "The version to start; without it, the one just built, the only one, or a question.",
        "latest": "The newest version, without a question.",
        "force": "Replace the container even if this very version runs.",
    }
)
def start(
    c: Context, name: str = "", tag: str = "", latest: bool = False, wait: int = 0, force: bool = False,
    rehearsal: bool = True, from_settings: bool = False, trust: bool = False, yes: bool = False,
) -> None:  # fmt: skip
    """Pick a version and switch to it.

    The old version runs until the new one was healthy in a rehearsal, and comes back if the new one fails. The image's
    recommended command says how to run it; that command is checked first and never reaches a shell.
    """
    settings = load_settings(c)
    ours = None if tag or latest else built(c, name)
    frame = settings.frame(ours.name if ours else name)
    docker = engine.engine()
    recovery.recover(c, docker, settings, frame)
    if ours and c.config.run.dry and docker.image(f"{frame.image}:{ours.tag}") is None:
        image: ImageRow = ImageRow(
            "", f"{frame.image}:{ours.tag}", {}, 0, 0
        )  # it would have been built in this very run
    else:
        image = service.by_own_name(docker, frame, pick(c, docker, frame, ours.tag if ours else tag, latest))
    if not force and switch.runs_already(docker, frame, image):
        return
    switch_to(c, docker, settings, frame, image, Wishes(wait, rehearsal, trust, yes, force, from_settings))


@task(help=SWITCH_HELP)
def rollback(
    c: Context, name: str = "", wait: int = 0, rehearsal: bool = True, from_settings: bool = False, trust: bool = False,
    yes: bool = False,
) -> None:  # fmt: skip
    """Switch to the version that ran before."""
    settings = load_settings(c)
    frame = settings.frame(name)
    docker = engine.engine()
    recovery.recover(c, docker, settings, frame)
    running = {container.image for container in service.running(docker, frame)}
    for container in service.kept(docker, frame):
        image = docker.image(container.image)
        if image and image.id not in running:
            break
    else:
        way = next_command(c, frame, "start")
        raise Exit(f"There is no earlier version of {frame.service} to return to. Type: {way}", code=2)
    chosen = service.by_own_name(docker, frame, image)
    switch_to(c, docker, settings, frame, chosen, Wishes(wait, rehearsal, trust, yes, from_settings=from_settings))


@task(help={"name": NAME_HELP})
def stop(c: Context, name: str = "") -> None:
    """Stop the service, so that a reboot does not bring it back."""
    settings = load_settings(c)
    frame = settings.frame(name)
    docker = engine.engine()
    recovery.recover(c, docker, settings, frame)
    if under_way := recovery.notice(c, docker, frame):
        raise Exit(f"{under_way} Nothing was changed.", code=1)
    running = service.running(docker, frame)
    if not running:
        print(f"No version of {frame.image} is running.")
        return
    do = recovery.door(c, docker)
    for container in running:
        if docker.restarts_by_itself(container.id):
            do(commands.no_restart(container.name), f"{container.name} cannot be updated.")
        do(commands.stop(container.name), f"{container.name} cannot be stopped.")
    if c.config.run.dry:
        return
    if recovery.unfinished(docker, frame) or service.running(docker, frame):
        raise Exit(f"{running[0].name} was stopped, but somebody else starts a version in this moment.", code=1)
    image = docker.image(running[0].image)
    version = service.tag_of(frame, service.by_own_name(docker, frame, image)) if image else "TAG"
    print(f"{running[0].name} is stopped. To start it again: {next_command(c, frame, 'start', '--tag', version)}")


def pick(c: Context, docker: Engine, frame: Frame, tag: str, latest: bool) -> ImageRow:
    """The version to start.

    Raises:
        Exit: with code 2 when there is none, no such one, or nobody to ask.
    """
    if tag and latest:
        raise Exit("Type either --tag TAG or --latest.", code=2)
    named = docker.image(f"{frame.image}:{tag}") if valid_tag(tag) else None
    if named and named.labels.get(label.NAME) == frame.image:
        return named
    images = docker.images(frame.image)
    if not images:
        raise Exit(
            f"There is no version of {frame.image} on this engine. Type: {next_command(c, frame, 'frame')}", code=2
        )
    versions = {image.tag: image for image in images}
    if tag:
        missing = f"There is no version {service.printable(tag)} of {frame.image}."
        raise Exit(f"{missing} Type --tag with one of: {', '.join(versions)}.", code=2)
    if latest or len(versions) == 1:
        return images[0]
    running = {container.image for container in service.running(docker, frame)}
    return versions[
        prompt.choose(
            f"Which version of {frame.image}?",
            service.lines(images, running),
            f"Several versions are here and nobody can be asked. Type: {next_command(c, frame, 'start')} --tag TAG",
        )
    ]


class Wishes(Struct, frozen=True):
    """What the flags of `start` and `rollback` ask for."""

    wait: int
    rehearsal: bool
    trust: bool
    yes: bool
    force: bool = False
    from_settings: bool = False


def switch_to(c: Context, docker: Engine, settings: Settings, frame: Frame, image: ImageRow, wishes: Wishes) -> None:
    """Switch to a version, once its recommended command is found to be safe."""
    words = command(c, docker, settings, frame, image, wishes)
    datadir.prepare(c, docker, settings, words)
    rehearse = wishes.rehearsal and settings.start.rehearse
    switch.perform(c, docker, switch.Order(settings, frame, image, words, rehearse, wishes.force, wishes.wait))


def command(
    c: Context, docker: Engine, settings: Settings, frame: Frame, image: ImageRow, wishes: Wishes
) -> "Recommended":
    """The image's recommended command, or that of the settings, checked.

    Raises:
        Exit: with code 1 when it is refused, 2 when somebody would have to be asked and nobody is there.
    """
    from .recommended import command as recommended

    version = service.tag_of(frame, image)
    reference = f"{frame.image}:{version}"
    settled = shlex.join(frame.recommended_command(version))
    if wishes.from_settings or not image.id:  # without an id: --dry, and the image is not built yet
        text = settled
    else:
        text = image.labels.get(label.COMMAND, "")
        if not text.strip():
            raise Exit(
                f"{reference} has no recommended command in its label. Type --from-settings to use invoke.yaml's.",
                code=1,
            )
    allow, local = settings.start.allow, docker.endpoint.local
    if not wishes.trust:
        words = recommended.check(text, reference, allow, settings.data, local)
    else:
        words = recommended.parse(text, reference)
        if unusual := recommended.unusual(words, allow, settings.data, local):
            agree(text, unusual, wishes.yes)
    if words.name != frame.service:
        print(f"Its label calls the service {service.printable(words.name)}; here it is {frame.service}.")
    return words


def agree(text: str, unusual: Sequence[str], yes: bool) -> None:
    """Show an unusual command and ask whether to run it.

    Raises:
        Exit: with code 2 without a terminal and without --yes, 130 when the answer is no.
    """
    print(f"The recommended command is\n  {service.printable(text)}\nUnusual in it:")
    for sentence in unusual:
        print(f"  - {sentence}")
    if not yes:
        prompt.confirm("Run it all the same?", "Nobody can be asked. Type --yes with --trust to run it all the same.")
