"""One version on several hosts: host after host, the first is the canary, and no further than the first that fails."""

from collections.abc import Mapping

from invoke import Exit

from ..engine import label
from ..engine.client import Unreachable
from ..host import table
from ..host.shell import exit_code, reason
from ..host.text import printable
from . import data_folders, pick, recovery, situation, switch
from .order import Wishes, order_for, returning
from .service import Service

SWITCHED, RETURNED, FAILED, LEFT = "switched", "returned", "failed", "not reached"
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
            print(printable(f"{name}:"), flush=True)
            try:
                outcomes[name] = SWITCHED if switched(service, tag, wishes) else "ran already"
            except (Exit, KeyboardInterrupt) as error:
                outcomes[name] = FAILED
                done = [other for other, outcome in outcomes.items() if outcome == SWITCHED]
                if back and isinstance(error, Exit):
                    outcomes |= give_back({other: fleet[other] for other in done}, tag, wishes)
                raise Exit(last_words(name, error, [] if back else done), code=exit_code(error)) from None
    finally:
        show(fleet, outcomes)


def bring_back(fleet: Services, tag: str, wishes: Wishes) -> None:
    """Return to the version before on each host on which this one runs, and show what runs where.

    Raises:
        Exit: with code 1 when a host failed; the others are returned all the same.
    """
    outcomes: dict[str, str] = {}
    try:
        outcomes |= give_back(fleet, tag, wishes)
    finally:
        show(fleet, {name: outcomes.get(name, LEFT) for name in fleet})
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


def give_back(fleet: Services, tag: str, wishes: Wishes) -> dict[str, str]:
    """Return to the version before where this one runs, and say how it went on each host."""
    outcomes = {}
    for name, service in fleet.items():
        print(printable(f"{name}:"), flush=True)
        try:
            recovery.recover(service)
            if tag not in versions(service):
                print(f"{tag} does not run here; nothing is changed.", flush=True)
                outcomes[name] = "left as it was"
                continue
            order = returning(service, wishes)
            data_folders.prepare(service, order.command)
            switch.perform(service, order)
            outcomes[name] = RETURNED
        except Exit as error:
            print(printable(reason(error)), flush=True)
            outcomes[name] = FAILED
    return outcomes


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
    more = f" {', '.join(done)} run the new version; to return, type the same with --back instead of --start."
    return f"{name}: {reason(error)}" + (more if done else "")
