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


@task(
    help={
        "name": flags.NAME,
        "from": "The tag of the earlier version; without it, the one that runs.",
        "to": "The tag of the later version; without it, the source's HEAD.",
        "json": flags.JSON,
    }
)
def changes(c: Context, name: str = "", from_: str = "", to: str = "", json: bool = False) -> None:
    """Show the commits between two versions, and what changed below.

    Exit code 1 when the source does not have the commit of a version; it is said
    then which fetch brings it.
    """
    from .host import document
    from .looking.changes import refuse_missing, report, show

    found = report(c, name, from_, to)
    document.show(found) if json else show(found)
    refuse_missing(found)


@task(help={"name": flags.NAME, "json": flags.JSON})
def history(c: Context, name: str = "", json: bool = False) -> None:
    """Show which version ran when, who started it, how it ended."""
    from .host import document
    from .looking.history import report, show

    found = report(c, name)
    document.show(found) if json else show(found)
