"""The task `ship`: a version on other engines, without a registry."""

from invoke import Context, Exit

from .program import flags
from .program.task import task


@task(
    help={
        "hosts": "Docker contexts, or addresses such as ssh://user@host.",
        "name": flags.NAME,
        "tag": "The version to bring; without it, the one just built, or that of the source's HEAD.",
        "jobs": "How many hosts at a time get their layers.",
        "start": "Then switch to it, host after host; the first that fails ends it.",
        "back": "Return to the version before where this one runs; with --start, if a host fails.",
        **{name: flags.SWITCH[name] for name in ("wait", "from-settings", "trust", "yes")},
        "rehearsal": "Try the version beside the old one first; --no-rehearsal if it cannot run twice at a time.",
        "json": "One JSON document on standard output, all else on standard error; docs/JSON.md says what is in it.",
    }
)
def ship(
    c: Context,
    hosts: str,
    name: str = "",
    tag: str = "",
    jobs: int = 4,
    start: bool = False,
    back: bool = False,
    wait: int = 0,
    rehearsal: bool = True,
    from_settings: bool = False,
    trust: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Bring a version to other hosts, without a registry.

    Each is asked first which layers it has, and gets only the others. A host
    is as it was until all has arrived, and a container could be made of it.
    """
    from .building.build import Build
    from .building.version import present
    from .engine.ssh import shared
    from .service import fleet, pick
    from .service.order import Wishes
    from .service.service import Service
    from .shipping import ship as shipping
    from .shipping.host import Cargo, hosts_of
    from .shipping.report import told

    if jobs < 1:
        raise Exit("--jobs needs a number from 1 up.", code=2)
    wishes = Wishes(wait, rehearsal, trust, yes, from_settings=from_settings)
    if not (start or back) and wishes != Wishes(0, True, False, yes):
        raise Exit("--wait, --no-rehearsal, --from-settings and --trust go with --start or --back.", code=2)
    with shared():
        targets = hosts_of(hosts)
        service, tag = Service.of(c, name), tag or present(Build.of(c), name)
        there = {one.name: Service(c, one.engine, service.settings, service.frame, one.where) for one in targets}
        outcomes: list[shipping.Outcome] = []
        switched: dict[str, fleet.Went] = {}
        with told(json, there, outcomes, switched):
            if start or not back:
                cargo = Cargo.of(service.engine, pick.tagged(service, tag).reference)
                with fleet.before_any_is_started(start, there, cargo.image, wishes) as wishes:
                    shipping.ship(c, cargo, targets, jobs, outcomes)
            if start:
                fleet.start(there, tag, wishes, back, switched)
            elif back:
                fleet.bring_back(there, tag, wishes, switched)
