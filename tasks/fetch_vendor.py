"""The task that brings the pinned external libraries into vendor/."""

from pathlib import Path

from invoke import Context, Exit

from .building.this_run import remember_done
from .program.task import task
from .settings.model import ROOT
from .vendoring.manifest import TMP
from .vendoring.plan import Wishes, choose, conclude, foretell, make_plan, report


@task(
    help={
        "only": "Fetch or check only this library.",
        "update": "Move the git pin of this library to the newest commit of its branch, and fetch it.",
        "to": "With --update: the full commit id, branch or tag to move to.",
        "check": "Say what is missing or altered, without network; exit 1 if anything is.",
        "force": "Fetch again, and overwrite edits made by hand.",
    }
)
def fetch_vendor(
    c: Context, only: str = "", update: str = "", to: str = "", check: bool = False, force: bool = False
) -> None:
    """Bring the pinned external libraries into vendor/."""
    bring(ROOT / "vendor", Wishes(only, update, to, check, force, bool(c.config.run.dry)))
    if not (only or update):
        remember_done(c, "vendor")


def bring(vendor: Path, wishes: Wishes) -> None:
    """Make `vendor` what its vendor.yaml says.

    Raises:
        Exit: with code 1 when a library is not as its pin says, afterwards or (`check`) now; with code 2 for a wrong
            vendor.yaml or a wrong mix of arguments.
    """
    wishes = wishes.checked()
    try:
        moved = {}
        if wishes.update:
            from .vendoring.update import moved_pin

            moved = moved_pin(vendor, wishes)
        pins = choose(vendor, wishes.only, moved)
        plan = make_plan(vendor, pins, wishes)
        problems = plan.problems
        if wishes.check:
            report(plan, len(pins))
            return
        if wishes.dry:
            foretell(plan, pins)
            return
        if plan.fetch or plan.remove or moved:
            from .vendoring.fetch import carry_out  # what only fetching needs is not paid for by `inv --list`

            problems = carry_out(vendor, wishes, moved)
        elif (vendor / TMP).is_dir():
            from .vendoring.fetch import clear

            clear(vendor)
    except OSError as error:
        raise Exit(f"Cannot work in {vendor}: {error.strerror} ({error.filename}).", code=1) from None
    conclude(problems, len(pins))
