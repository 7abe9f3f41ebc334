"""The tasks `logs` and `shell`: into a service's container."""

from invoke import Context, Exit

from .program import flags
from .program.task import task


@task(
    aliases=["dlg"],
    help={
        "name": flags.NAME,
        "follow": "Go on with what is written from now on; so it is on a terminal. (-f names a settings file.)",
        "no-follow": "End after what was written until now; so it is in a pipe.",
        "tail": "Only so many of the last lines.",
        "since": "Only what was written since then: 10m, 2h30m, 2019-08-30T14:46:20Z.",
        "previous": "Of the version before.",
        "tag": "Of the last container of this version.",
    },
)
def logs(
    c: Context,
    name: str = "",
    follow: bool = False,
    no_follow: bool = False,
    tail: str = "",
    since: str = "",
    previous: bool = False,
    tag: str = "",
) -> None:
    """Show what the service writes, or an earlier version wrote.

    Where nothing runs, it is the log of what ended, and the exit code is 3.
    """
    from .looking import logs as looking
    from .service.service import Service

    wanted = looking.part(follow, no_follow, tail, since)
    service = Service.of(c, name)
    container = looking.of(service, previous, tag)
    code = looking.show(service, container, wanted)
    if not code and not container.running and not (previous or tag):
        raise Exit(f"{container.name} does not run: this was its log.", code=looking.NOTHING_RUNS)
    if code:
        raise Exit(code=code)


@task(
    aliases=["dsh"],
    help={"name": flags.NAME, "command": "Run this by sh, and hand its exit code on, instead of a shell to type in."},
)
def shell(c: Context, name: str = "", command: str = "") -> None:
    """Open a shell in the running service, or run a command there."""
    from .looking.inside import run
    from .service.service import Service

    if code := run(Service.of(c, name), command):
        raise Exit(code=code)
