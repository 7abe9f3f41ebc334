"""The task that brings the pinned external libraries into vendor/."""

from invoke import Context

from .program.task import task
from .settings.root import ROOT


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
    from .building.this_run import remember_done
    from .vendoring.bring import bring
    from .vendoring.plan import Wishes

    bring(ROOT / "vendor", Wishes(only, update, to, check, force, bool(c.config.run.dry)))
    if not (only or update):
        remember_done(c, "vendor")
