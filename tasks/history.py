"""The tasks `images`, `changes` and `history`: which versions there are, and what became of them."""

from invoke import Context

from .program import flags
from .program.task import task


@task(aliases=["di"], help={"name": "Which frame, a key under stack.frames; without it, all.", "json": flags.JSON})
def images(c: Context, name: str = "", json: bool = False) -> None:
    """Show every version: commit, age, size, base, use."""
    from .host import document
    from .looking.images import report, show

    found = report(c, name)
    document.show(found) if json else show(c, found, name)
