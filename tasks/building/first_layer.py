"""A first layer for a machine that has none: pulled, or made where no registry answers."""

from invoke import Context

from ..engine import commands
from ..engine.engine import Engine
from ..host import debian
from ..host.saying import say
from ..host.shell import Show, ask, run

PULLED = "python:3.11-slim-bookworm"  # where a registry answers
PULL_WITHIN = 20  # seconds to find out whether one does


def bring(c: Context, docker: Engine, reference: str) -> None:
    """Bring a Debian with Python under this reference: pulled, or made with mmdebstrap where no registry answers.

    Raises:
        Exit: with code 1 when neither can be done.
    """
    if docker.image(reference):
        return
    say(f"Bringing a first layer, {reference}.")
    if ask(c, ["timeout", str(PULL_WITHIN), "docker", "manifest", "inspect", PULLED], env=docker.environment).ok:
        was_here = docker.image(PULLED)
        run(c, commands.pull(PULLED), f"{PULLED} cannot be pulled.", docker.environment, Show.DISPLAY)
        run(c, commands.tag_image(PULLED, reference), f"{PULLED} cannot be tagged.", env=docker.environment)
        if not was_here:  # it goes when that under the other name goes
            run(c, commands.remove_image(PULLED), f"{PULLED} cannot be removed.", env=docker.environment)
        return
    say("No image registry answers: making a first layer with mmdebstrap (about half a minute).")
    archive = debian.root_file_system(c)
    run(c, commands.import_image(archive, reference), f"{archive} cannot be imported.", env=docker.environment)
