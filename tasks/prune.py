"""The task `prune`: old versions and what builds left."""

from invoke import Context

from .program import flags
from .program.task import task


@task(
    help={
        "name": flags.NAME,
        "keep": "How many of the newest versions stay, whether anything uses them or not.",
        "yes": "Do not ask.",
    }
)
def prune(c: Context, name: str = "", keep: int = 5, yes: bool = False) -> None:
    """Remove versions that nothing uses, and leftovers of builds.

    What any container uses stays, running or stopped and whoever's, and what the
    swarm's services name, on a manager; so do the newest versions, the present
    base, and every base below something that stays.
    """
    from .service import cleaning
    from .service.service import Service

    cleaning.prune(Service.of(c, name), cleaning.Wishes(keep, yes))
