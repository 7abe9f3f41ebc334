"""The tasks `start`, `stop` and `rollback`: which version of the service runs."""

from invoke import Context

from .program.task import task
from .service import data_folders, pick, situation, stopping, switch
from .service.order import Wishes, order_for
from .service.recovery import recover
from .service.service import Service
from .settings.this_run import built

NAME_HELP = "Which frame, a key under stack.frames; needed only when there are several."
SWITCH_HELP = {
    "name": NAME_HELP,
    "wait": "Seconds to wait for somebody else's switch to end.",
    "rehearsal": "Try the version beside the old one first; --no-rehearsal if it cannot run twice at a time.",
    "from-settings": "Run it as today's settings say, not as its label does.",
    "trust": "Show a recommended command that goes beyond start.allow, and ask whether to run it.",
    "yes": "With --trust: do not ask.",
}
START_HELP = {
    "tag": "The version to start; without it, the one just built, the only one, or a question.",
    "latest": "The newest version, without a question.",
    "force": "Replace the container even if this very version runs.",
}


@task(help={**SWITCH_HELP, **START_HELP})
def start(
    c: Context,
    name: str = "",
    tag: str = "",
    latest: bool = False,
    wait: int = 0,
    force: bool = False,
    rehearsal: bool = True,
    from_settings: bool = False,
    trust: bool = False,
    yes: bool = False,
) -> None:
    """Pick a version and switch to it.

    The old version runs until the new one was healthy in a rehearsal, and comes back if the new one fails. The image's
    recommended command says how to run it; that command is checked first and never reaches a shell.
    """
    made = None if tag or latest else built(c, name)
    service = Service.of(c, made.name if made else name)
    recover(service)
    image = pick.just_built(service, made.tag) if made else pick.pick(service, tag, latest)
    if not force and situation.runs_already(service, image):
        return
    order = order_for(service, image, Wishes(wait, rehearsal, trust, yes, force, from_settings))
    data_folders.prepare(service, order.command)
    switch.perform(service, order)


@task(help=SWITCH_HELP)
def rollback(
    c: Context,
    name: str = "",
    wait: int = 0,
    rehearsal: bool = True,
    from_settings: bool = False,
    trust: bool = False,
    yes: bool = False,
) -> None:
    """Switch to the version that ran before."""
    service = Service.of(c, name)
    recover(service)
    order = order_for(service, pick.previous(service), Wishes(wait, rehearsal, trust, yes, from_settings=from_settings))
    data_folders.prepare(service, order.command)
    switch.perform(service, order)


@task(help={"name": NAME_HELP})
def stop(c: Context, name: str = "") -> None:
    """Stop the service, so that a reboot does not bring it back."""
    service = Service.of(c, name)
    recover(service)
    stopping.stop(service)
