"""The task `dev`: a version with the source mounted over the installed one."""

import sys

from invoke import Context, Exit

from .host.saying import say
from .program import flags
from .program.task import task


@task(
    help={
        "name": flags.NAME,
        "tag": "The version to run; without it, the one that runs, or the newest.",
        "port": "The port of this machine; without it, the next free one after the service's.",
        "shell": "A shell in it, in this terminal, instead of its command.",
        "stop": "Stop it, and take it away.",
    }
)
def dev(c: Context, name: str = "", tag: str = "", port: int = 0, shell: bool = False, stop: bool = False) -> None:
    """Run a version with the source mounted over the installed one.

    A change shows without a build. It runs beside the service, as SERVICE-dev; no
    switch takes it for the service, and no reboot starts it.
    """
    from .service import dev as trial
    from .service import pick
    from .service.service import Service

    service = Service.of(c, name)
    if stop:
        found = trial.remove(service)
        if not (found and service.dry):
            say(f"{trial.name(service)} {'is stopped' if found else 'does not run'}.")
        return
    if shell and not sys.stdin.isatty():
        raise Exit("A shell needs a terminal. Type inv dev without --shell here.", code=2)
    image = pick.tagged(service, tag) if tag else pick.running_or_newest(service)
    planned = trial.plan(service, image, port)
    if shell:
        raise Exit(code=trial.shell(service, planned))
    trial.begin(service, planned)
