"""The task `status`: what runs now, and whether it is what it should be."""

from invoke import Context, Exit

from .program import flags
from .program.task import task


@task(help={"name": flags.NAME, "json": flags.JSON})
def status(c: Context, name: str = "", json: bool = False) -> None:
    """Show what runs: version, commit, health, GPU, drift.

    Exits with 0 when it is healthy, 1 when it is not, and 3 when nothing runs.
    """
    from .host import document
    from .looking.status import report
    from .looking.status_shown import show
    from .service.service import Service

    service = Service.of(c, name)
    found = report(service)
    document.show(found) if json else show(service, found)
    if found.exit_code:
        raise Exit(code=found.exit_code)
