"""The tasks `push` and `pull`: versions to a registry, and from it."""

from invoke import Context

from .program import flags
from .program.task import task

SENT = "The version to send; without it, the one just built, the only one, or a question."


@task(help={"name": flags.NAME, "tag": SENT})
def push(c: Context, name: str = "", tag: str = "") -> None:
    """Send a version to the registry.

    The registry is the setting stack.registry; logins are docker's.
    """
    from .host.saying import say
    from .service import pick, registry
    from .service.service import Service
    from .settings.this_run import built
    from .shipping import exchange

    made = None if tag else built(c, name)
    service = Service.of(c, made.name if made else name)
    registry.repository(service)  # before a question that would be in vain
    image = pick.just_built(service, made.tag) if made else pick.pick(service, tag, False, "push")
    remote = registry.reference(service, image.tag)
    digest = exchange.push(service, image.reference, remote)
    if not service.dry:
        say(registry.arrived(service, image.tag, digest))


@task(
    help={
        "name": flags.NAME,
        "tag": "The version to bring; without it, the only one, or a question.",
        "list": "Show the versions that the registry has, and bring none.",
        "force": "Move the tag even if it names another image here.",
        "json": "With --list: print JSON and nothing else.",
        "trust": flags.TRUST,
        "yes": flags.YES,
    }
)
def pull(
    c: Context,
    name: str = "",
    tag: str = "",
    list: bool = False,
    force: bool = False,
    json: bool = False,
    trust: bool = False,
    yes: bool = False,
) -> None:
    """Bring a version from the registry.

    What start would refuse is not taken: nothing of it stays.
    """
    from .host.saying import say
    from .service import registry
    from .service.service import Service
    from .shipping import exchange
    from .shipping.registry import Remote, tags

    service = Service.of(c, name)
    remote = Remote.of(service.engine, registry.repository(service))
    there = registry.in_order(tags(remote)) if list or not tag else []
    if list:
        registry.show(service, there, json)
        return
    tag = tag or registry.chosen(service, there)
    try:
        with exchange.pulled(service, registry.reference(service, tag)) as image:
            where = registry.accept(service, image, tag, registry.Wishes(force, trust, yes))
    except exchange.NotPulled:
        registry.refuse_unknown(service, tag, registry.in_order(tags(remote)))
        raise
    if where:
        say(where)
