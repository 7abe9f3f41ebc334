"""One version on several hosts: host after host, the first is the canary, and no further than the first that fails."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from invoke import Exit
from msgspec import Struct
from msgspec.structs import replace

from ..engine import label
from ..engine.client import Unreachable
from ..engine.records import ImageRow
from ..host import table
from ..host.saying import say
from ..host.shell import exit_code, reason
from ..host.text import printable
from . import data_folders, pick, recovery, situation, switch
from .order import Wishes, checked_command, order_for, returning
from .service import Service

SWITCHED, RETURNED, FAILED, LEFT = "switched", "returned", "failed", "not reached"
STOPPED = "stopped"  # by the person; all that was begun on this host is undone
STOP = 130  # the exit code when a person said stop
Services = Mapping[str, Service]  # the service on each host, by the host's name


class Went(Struct, frozen=True):
    """How a switch went on a host. `error`: a sentence, or ""; `runs`: the versions there in the end, if known."""

    outcome: str
    error: str = ""
    runs: list[str] | None = None


Outcomes = dict[str, Went]  # by the host's name


@contextmanager
def before_any_is_started(meant: bool, fleet: Services, image: ImageRow, wishes: Wishes) -> Iterator[Wishes]:
    """The wishes to start it with, for the block before that; where it fails, say that nothing was started.

    Args:
        meant: whether it is to be started at all.

    Raises:
        Exit: as `agreed` does.
    """
    try:
        yield agreed(fleet, image, wishes) if meant else wishes
    except Exit as end:
        if not meant or end.code != 1:
            raise
        raise Exit(f"{end.message}\nNothing was started on any host.", code=1) from None


def agreed(fleet: Services, image: ImageRow, wishes: Wishes) -> Wishes:
    """The same wishes, once the version's command is found to be safe for each host, or somebody has said yes to it.

    Raises:
        Exit: as `checked_command` does.
    """
    for service in fleet.values():
        with suppress(Unreachable):  # it is told of together with the others
            checked_command(service, image, wishes)
            if wishes.trust:
                return replace(wishes, yes=True)  # the others' is the same
    return wishes


def start(fleet: Services, tag: str, wishes: Wishes, back: bool, outcomes: Outcomes) -> None:
    """Switch to a version on each host, and show what runs where.

    Args:
        back: whether those that had switched return when one fails.
        outcomes: how it went on each host is noted here.

    Raises:
        Exit: with code 1 when a host failed, 130 when the person says stop; hosts after it are as they were.
    """
    outcomes |= dict.fromkeys(fleet, Went(LEFT))
    try:
        for name, service in fleet.items():
            say(printable(f"{name}:"))
            try:
                outcomes[name] = Went(SWITCHED if switched(service, tag, wishes) else "ran already")
            except (Exit, KeyboardInterrupt) as error:
                outcomes[name] = ended(error)
                if back and outcomes[name].outcome == FAILED:
                    give_back({other: fleet[other] for other in those(SWITCHED, outcomes)}, tag, wishes, outcomes)
                raise Exit(last_words(name, error, those(SWITCHED, outcomes)), code=exit_code(error)) from None
    finally:
        show(fleet, outcomes)


def bring_back(fleet: Services, tag: str, wishes: Wishes, outcomes: Outcomes) -> None:
    """Return to the version before on each host on which this one runs, and show what runs where.

    Raises:
        Exit: with code 1 when a host failed; the others are returned all the same.
    """
    outcomes |= dict.fromkeys(fleet, Went(LEFT))
    try:
        give_back(fleet, tag, replace(wishes, rehearsal=False), outcomes)  # it was healthy there
    finally:
        show(fleet, outcomes)
    if failed := those(FAILED, outcomes):
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


def give_back(fleet: Services, tag: str, wishes: Wishes, outcomes: Outcomes) -> None:
    """Return to the version before where this one runs, and note in `outcomes` how it went on each host.

    Raises:
        Exit: with code 130 when the person says stop; hosts after that one are as they were.
    """
    for name, service in fleet.items():
        say(printable(f"{name}:"))
        try:
            outcomes[name] = Went(RETURNED if returned(service, tag, wishes) else "left as it was")
        except (Exit, KeyboardInterrupt) as error:
            outcomes[name] = ended(error)
            if outcomes[name].outcome == STOPPED:
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


def ended(error: BaseException) -> Went:
    """The outcome on a host at which something ended."""
    return Went(STOPPED if exit_code(error) == STOP else FAILED, reason(error))


def those(outcome: str, outcomes: Outcomes) -> list[str]:
    """The hosts on which it went so."""
    return [name for name, went in outcomes.items() if went.outcome == outcome]


def versions(service: Service) -> list[str]:
    """The versions of the service that run on a host."""
    return [label.version_of(container.labels, container.image) for container in service.running()]


def show(fleet: Services, outcomes: Outcomes) -> None:
    """Note which versions run on each host now, and show a table; under `--dry`, when nothing was done, neither."""
    if any(service.dry for service in fleet.values()):
        return
    for name, service in fleet.items():
        with suppress(Unreachable):
            outcomes[name] = replace(outcomes[name], runs=versions(service))
    found = [(name, outcomes[name]) for name in fleet]
    rows = [(name, "?" if one.runs is None else ", ".join(one.runs) or "nothing", one.outcome) for name, one in found]
    table.show("", ("host", "runs", "outcome"), rows)


def last_words(name: str, error: BaseException, done: list[str]) -> str:
    """The sentence about the host at which a start on several ended."""
    run = "runs" if len(done) == 1 else "run"
    more = f" {', '.join(done)} {run} the new version; to return, type the same with --back instead of --start."
    return f"{name}: {reason(error)}" + (more if done else "")
