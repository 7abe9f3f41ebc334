"""The task `doctor`: whether everything that the tasks need is there."""

from invoke import Context, Exit

from .program import flags
from .program.task import task


@task(help={"name": "Which frame, a key under stack.frames; without it, all.", "json": flags.JSON})
def doctor(c: Context, name: str = "", json: bool = False) -> None:
    """Look for what is missing or wrong, and say what to type.

    Changes nothing. Ends with 1 when something would make a task fail.
    """
    from .host import document
    from .looking.doctor import diagnosis, show

    found = diagnosis(c, name)
    document.show(found) if json else show(found)
    if not found.healthy:
        raise Exit(code=1)
