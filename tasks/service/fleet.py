"""One version on several hosts: host after host, the first is the canary, and no further than the first that fails."""

from collections.abc import Mapping

from invoke import Exit

from ..engine import label
from ..engine.client import Unreachable
from ..host import table
from ..host.saying import say
from ..host.shell import exit_code, reason
from ..host.text import printable
from . import data_folders, pick, recovery, situation, switch
from .order import Wishes, order_for, returning
from .service import Service

SWITCHED, RETURNED, FAILED, LEFT = "switched", "returned", "failed", "not reached"
STOPPED = "stopped"  # by the person; all that was begun on this host is undone
STOP = 130  # the exit code when a person said stop
Services = Mapping[str, Service]  # the service on each host, by the host's name


def start(fleet: Services, tag: str, wishes: Wishes, back: bool) -> None:
    """Switch to a version on each host, and show what runs where.

    Args:
        back: whether those that had switched return when one fails.

    Raises:
        Exit: with code 1 when a host failed, 130 when the person says stop; hosts after it are as they were.
    """
    outcomes = dict.fromkeys(fleet, LEFT)
    try:
        for name, service in fleet.items():
            say(printable(f"{name}:"))
            try:
                outcomes[name] = SWITCHED if switched(service, tag, wishes) else "ran already"
            except (Exit, KeyboardInterrupt) as error:
                outcomes[name] = ended(error)
                if back and outcomes[name] == FAILED:
                    done = [other for other, outcome in outcomes.items() if outcome == SWITCHED]
                    give_back({other: fleet[other] for other in done}, tag, wishes, outcomes)
                done = [other for other, outcome in outcomes.items() if outcome == SWITCHED]
                raise Exit(last_words(name, error, done), code=exit_code(error)) from None
    finally:
        show(fleet, outcomes)


def bring_back(fleet: Services, tag: str, wishes: Wishes) -> None:
    """Return to the version before on each host on which this one runs, and show what runs where.

    Raises:
        Exit: with code 1 when a host failed; the others are returned all the same.
    """
    outcomes = dict.fromkeys(fleet, LEFT)
    try:
        give_back(fleet, tag, wishes, outcomes)
    finally:
        show(fleet, outcomes)
    if failed := [name for name, outcome in outcomes.items() if outcome == FAILED]:
        raise Exit(f"{', '.join(failed)} could not return; the lines above say why.", code=1)


def switched(service: Service, tag: str, wishes: Wishes) -> bool:
    """Switch to a version on one host. Returns whether it did not run there already."""
    recovery.recover(service)
    image = pick.just_built(service, tag)  # under --dry it has not arrived
    if situation.runs_already(service, image):
        return False
    order = order_for(service, image, wishes)
    data_folders.prepare(service, order.command)
    switch.perform(service, order)
    return True


def give_back(fleet: Services, tag: str, wishes: Wishes, outcomes: dict[str, str]) -> None:
    """Return to the version before where this one runs, and note in `outcomes` how it went on each host.

    Raises:
        Exit: with code 130 when the person says stop; hosts after that one are as they were.
    """
    for name, service in fleet.items():
        say(printable(f"{name}:"))
        try:
            outcomes[name] = RETURNED if returned(service, tag, wishes) else "left as it was"
        except (Exit, KeyboardInterrupt) as error:
            outcomes[name] = ended(error)
            if outcomes[name] == STOPPED:
                raise Exit(f"{name}: {reason(error)}", code=exit_code(error)) from None
            say(printable(reason(error)))


def returned(service: Service, tag: str, wishes: Wishes) -> bool:
    """Return to the version before on one host. Returns whether this one ran there."""
    recovery.recover(service)
    if tag not in versions(service):
        say(f"{tag} does not run here; nothing is changed.")
        return False
    order = returning(service, wishes)
    data_folders.prepare(service, order.command)
    switch.perform(service, order)
    return True


def ended(error: BaseException) -> str:
    """The outcome on a host at which something ended."""
    return STOPPED if exit_code(error) == STOP else FAILED


def versions(service: Service) -> list[str]:
    """The versions of the service that run on a host."""
    return [label.version_of(container.labels, container.image) for container in service.running()]


def show(fleet: Services, outcomes: Mapping[str, str]) -> None:
    """A table of the hosts, and which version runs on each now; under `--dry`, when nothing was done, none."""
    rows = []
    if any(service.dry for service in fleet.values()):
        return
    for name, service in fleet.items():
        try:
            runs = ", ".join(versions(service)) or "nothing"
        except Unreachable:
            runs = "?"
        rows.append((name, runs, outcomes[name]))
    table.show("", ("host", "runs", "outcome"), rows)


def last_words(name: str, error: BaseException, done: list[str]) -> str:
    """The sentence about the host at which a start on several ended."""
    run = "runs" if len(done) == 1 else "run"
    more = f" {', '.join(done)} {run} the new version; to return, type the same with --back instead of --start."
    return f"{name}: {reason(error)}" + (more if done else "")
