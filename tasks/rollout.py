"""The task `rollout`: one version on every node of a Docker Swarm."""

from invoke import Context, Exit

from .program import flags
from .program.task import task

HELP = {
    "name": flags.NAME,
    "tag": "The version; without it, the one just built, the only one, or a question.",
    "latest": "The newest version, without a question.",
    "digest": "What the registry calls it, as inv push says: then each node fetches it; else each must have it.",
    "show": "Print the stack file and do nothing.",
    "status": "Show which version each node runs; exit code 0, 1 or 3.",
    "json": "With --status: one JSON document and nothing else; docs/JSON.md says what is in it.",
    "rollback": "Return every node to the version before the last rollout.",
    "remove": "Take the service away from every node; asks, unless --yes is given.",
    "default-runtime": "The runtime that each node has by default, set by you: a service cannot name one.",
    "force": "Replace each node's container even if this very version runs there.",
    "from-settings": flags.SWITCH["from-settings"],
    "trust": flags.TRUST,
    "yes": "With --trust or --remove: do not ask.",
    "take-over": "Go on although a rollout is under way, whose run is gone for good.",
}


@task(help=HELP)
def rollout(
    c: Context,
    name: str = "",
    tag: str = "",
    latest: bool = False,
    digest: str = "",
    show: bool = False,
    status: bool = False,
    json: bool = False,
    rollback: bool = False,
    remove: bool = False,
    default_runtime: str = "",
    force: bool = False,
    from_settings: bool = False,
    trust: bool = False,
    yes: bool = False,
    take_over: bool = False,
) -> None:
    """Bring a version to every node of a swarm, one by one.

    Each node is looked at before anything is stopped. A version that fails on one
    is taken back on all. The nodes are those with the label that it names.
    """
    from .service import pick
    from .service.order import Wishes
    from .service.service import Service
    from .settings.this_run import built
    from .swarm import plan, removal, rolling, stack
    from .swarm import status as now
    from .swarm.fleet import Fleet

    if sum((show, status, rollback, remove)) > 1 or (json and not status):
        raise Exit("Type one of --show, --status (with or without --json), --rollback and --remove.", code=2)
    if (status or rollback or remove) and (tag or latest or digest):
        raise Exit("--status, --rollback and --remove take no version. For one, type: inv rollout --tag TAG", code=2)
    made = None if tag or latest else built(c, name)
    service = Service.of(c, made.name if made else name)
    if status:
        return now.answer(Fleet.of(service), json)
    if remove:
        return removal.remove(Fleet.of(service), yes, take_over)
    if rollback:
        return rolling.roll_back(Fleet.of(service), take_over)
    fleet = None if show else Fleet.of(service).able()  # before a question that would be in vain
    image = pick.just_built(service, made.tag) if made else pick.pick(service, tag, latest, "rollout")
    wanted = plan.planned(service, image, Wishes(0, False, trust, yes, force, from_settings), default_runtime, digest)
    if fleet is None:
        return print(stack.text(stack.document(wanted, service.settings.start)), end="")
    plan.verify(service, image, wanted)
    return rolling.roll_out(fleet, wanted, rolling.Asked(force, take_over))
