"""The tasks `bundle` and `unbundle`: a version in a file, for servers that no network leads to."""

from invoke import Context, Exit

from .program import flags
from .program.task import task


@task(
    help={
        "file": "The file to write; - for standard output.",
        "name": flags.NAME,
        "tag": "The version to write; without it, the one just built, or that of the source's HEAD.",
        "since": "A version that the server has: the layers that it shares with this one are left out.",
        "full": "Leave nothing out.",
    }
)
def bundle(c: Context, file: str, name: str = "", tag: str = "", since: str = "", full: bool = False) -> None:
    """Write a version to a file, for a server without a network.

    The file says what the server must have already, and carries a check sum.
    """
    from .building.build import Build
    from .building.version import present
    from .service import pick
    from .service.service import Service
    from .shipping.bundle import write
    from .shipping.host import Cargo

    if full == bool(since):
        raise Exit("Type either --since TAG, a version that the server has, or --full.", code=2)
    service = Service.of(c, name)
    image = pick.tagged(service, tag or present(Build.of(c), name))
    below = pick.tagged(service, since, "--since") if since else None
    engine = service.engine
    write(c, Cargo.of(engine, image.reference), Cargo.of(engine, below.reference) if below else None, file)


@task(help={"file": "What `inv bundle` wrote; - for standard input."})
def unbundle(c: Context, file: str) -> None:
    """Load what `inv bundle` wrote, if all that it needs is here.

    Nothing is loaded of a file that is cut off or altered. The labels are shown.
    """
    from .engine.engine import current_engine
    from .service.labels import show
    from .shipping.unbundle import load

    engine = current_engine()
    reference = load(c, engine, file)
    if found := engine.image(reference):
        show(found, False, "")
