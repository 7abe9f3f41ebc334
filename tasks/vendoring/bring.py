"""Making vendor/ what vendor.yaml says, or saying what it lacks."""

from pathlib import Path

from invoke import Exit

from .manifest import TMP
from .plan import Wishes, choose, conclude, foretell, make_plan, report


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
            from .update import moved_pin

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
            from .fetch import carry_out  # what only fetching needs is not paid for when vendor/ is up to date

            problems = carry_out(vendor, wishes, moved)
        elif (vendor / TMP).is_dir():
            from .fetch import clear

            clear(vendor)
    except OSError as error:
        raise Exit(f"Cannot work in {vendor}: {error.strerror} ({error.filename}).", code=1) from None
    conclude(problems, len(pins))
