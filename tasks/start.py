"""The task `start`: pick a version and switch to it."""

import shlex

from invoke import Context, Exit, task

from .shared import engine, prompt, recommended, service, stamp, switch
from .shared.context import built, load_settings
from .shared.engine import Engine, Image
from .shared.settings import Frame, Settings


@task(
    help={
        "name": "Which frame, a key under stack.frames; needed only when there are several.",
        "tag": "The version to start; without it, the one just built, the only one, or a question.",
    }
)
def start(c: Context, name: str = "", tag: str = "") -> None:
    """Pick a version and switch to it.

    Its image's recommended command says how to run it; that command is checked first and never reaches a shell.
    """
    settings = load_settings(c)
    frame = settings.frame(name)
    docker = engine.engine()
    ours = built(c)
    if not tag and ours and ours.frame == frame.image:
        tag = ours.tag
    image = pick(docker, frame, tag, dry=c.config.run.dry)
    words = command(docker, settings, frame, image)
    switch.perform(c, docker, switch.Order(settings, frame, image, words))


def pick(docker: Engine, frame: Frame, tag: str, dry: bool) -> Image:
    """The version to start.

    Raises:
        Exit: with code 2 when there is none, no such one, or nobody to ask.
    """
    images = docker.images(frame.image)
    if tag and dry and tag not in {image.tag for image in images}:  # it would have been built in this very run
        return Image("", f"{frame.image}:{tag}", {}, 0, 0)
    if not images:
        raise Exit(f"There is no version of {frame.image} on this engine. Type: inv frame", code=2)
    versions = {image.tag: image for image in images}
    if tag and tag not in versions:
        raise Exit(f"There is no version {tag} of {frame.image}. Type --tag with one of: {', '.join(versions)}.", code=2)
    if not tag and len(versions) == 1:
        return images[0]
    if not tag:
        running = {container.image for container in service.running(docker, frame)}
        tag = prompt.choose(
            f"Which version of {frame.image}?",
            service.lines(images, running),
            "Several versions are here and nobody can be asked. Type: inv start --tag TAG",
        )
    return versions[tag]


def command(docker: Engine, settings: Settings, frame: Frame, image: Image) -> recommended.Recommended:
    """The image's recommended command, checked.

    Raises:
        Exit: with code 1 when it is refused, or there is none.
    """
    text = image.labels.get(stamp.COMMAND, "")
    if not image.id:  # --dry, and the image is not built: its label will be what the settings say
        text = shlex.join(stamp.recommended_command(frame, image.tag))
    return recommended.check(text, image.reference, settings.start.allow, settings.data, docker.endpoint.local)
