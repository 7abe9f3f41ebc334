"""The task `ship`: a version on other engines, without a registry."""

from invoke import Context, Exit

from .program import flags
from .program.task import task


@task(
    help={
        "hosts": "Docker contexts, or addresses such as ssh://user@host; several: with commas or spaces between.",
        "name": flags.NAME,
        "tag": "The version to bring; without it, the one just built, or that of the source's HEAD.",
        "jobs": "How many hosts at a time.",
    }
)
def ship(c: Context, hosts: str, name: str = "", tag: str = "", jobs: int = 4) -> None:
    """Bring a version to other hosts, without a registry.

    Each is asked first which layers it has, and gets only the others. Nothing is
    kept on a disk on the way, and a host is as it was until all has arrived and a
    container could be made of it.
    """
    from .building.build import Build
    from .building.version import present
    from .engine.ssh import shared
    from .service import pick
    from .service.service import Service
    from .shipping.host import Cargo, Host
    from .shipping.ship import ship as bring

    with shared():
        targets = [Host.of(one) for one in dict.fromkeys(hosts.replace(",", " ").split())]
        if not targets or jobs < 1:
            raise Exit("Name at least one host." if jobs > 0 else "--jobs is at least 1.", code=2)
        service = Service.of(c, name)
        image = pick.tagged(service, tag or present(Build.of(c), name))
        bring(c, Cargo.of(service.engine, image.reference), targets, jobs)
