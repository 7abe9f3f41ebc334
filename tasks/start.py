"""The tasks `start`, `stop` and `rollback`: which version of the service runs."""

from invoke import Context

from .program import flags
from .program.task import task

START_HELP = {
    "tag": "The version to start; without it, the one just built, the only one, or a question.",
    "latest": "The newest version, without a question.",
    "force": "Replace the container even if this very version runs.",
    "rehearsal": "Try the version beside the old one first; --no-rehearsal if it cannot run twice at a time.",
}
AGAIN = "Try the version beside the old one first, although it was healthy here before."


@task(help={**flags.SWITCH, **START_HELP})
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
    take_over: bool = False,
) -> None:
    """Pick a version and switch to it.

    The old version runs until the new one was healthy in a rehearsal, and comes
    back if the new one fails. No shell sees the recommended command.
    """
    from .service import data_folders, pick, situation, switch
    from .service.order import Wishes, order_for
    from .service.recovery import recovered
    from .settings.this_run import built

    made = None if tag or latest else built(c, name)
    service = recovered(c, made.name if made else name, take_over)
    image = pick.just_built(service, made.tag) if made else pick.pick(service, tag, latest)
    if not force and situation.runs_already(service, image):
        return
    order = order_for(service, image, Wishes(wait, rehearsal, trust, yes, force, from_settings))
    data_folders.prepare(service, order.command)
    switch.perform(service, order)


@task(help={**flags.SWITCH, "rehearsal": AGAIN})
def rollback(
    c: Context,
    name: str = "",
    wait: int = 0,
    rehearsal: bool = False,
    from_settings: bool = False,
    trust: bool = False,
    yes: bool = False,
    take_over: bool = False,
) -> None:
    """Switch to the version that ran before, as it ran."""
    from .service import data_folders, switch
    from .service.order import Wishes, returning
    from .service.recovery import recovered

    service = recovered(c, name, take_over)
    order = returning(service, Wishes(wait, rehearsal, trust, yes, from_settings=from_settings))
    data_folders.prepare(service, order.command)
    switch.perform(service, order)


@task(aliases=["dsc"], help={"name": flags.NAME, "take-over": flags.TAKE_OVER})
def stop(c: Context, name: str = "", take_over: bool = False) -> None:
    """Stop the service, so that a reboot does not bring it back."""
    from .service import stopping
    from .service.recovery import recovered

    stopping.stop(recovered(c, name, take_over))
