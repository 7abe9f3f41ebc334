"""Which version ran when, who started it, and how it ended: from the service's containers, the kept ones among them."""

from collections.abc import Collection, Sequence

from invoke import Context
from msgspec import Struct

from ..engine import label
from ..engine.engine import Engine
from ..engine.records import Container
from ..host import document, table
from ..host.saying import say
from ..host.text import brief
from ..service import ticket
from ..service.service import Service, order_of_running
from ..service.ticket import Ticket

BY_HAND = "by hand"
MARGIN = 60.0  # seconds from the word to stop to the end that it brought


class End(Struct, frozen=True):
    """How a run ended. `exit_code` is the process's; `replaced_by` (a tag) and `by`: the switch that stopped it.

    `stopped`: whether it was told to stop, by `inv stop` or by hand; None where the engine does not know any more.
    """

    exit_code: int
    out_of_memory: bool
    error: str | None
    replaced_by: str | None
    by: str | None
    stopped: bool | None


class Run(Struct, frozen=True):
    """One container of the service. Times are ISO 8601 in UTC.

    `by` is user@host of the switch that made it, None where it was started by hand. `created` is when that was,
    `started` its last start (a reboot is one too), `ended` None while it runs or if it never ran. `state` is docker's.
    `restarts` counts those by docker alone.
    """

    tag: str
    commit: str | None
    container: str
    id: str
    image: str
    state: str
    by: str | None
    created: str | None
    started: str | None
    ended: str | None
    restarts: int
    end: End | None


class History(Struct, frozen=True):
    """The runs of one service, the latest first."""

    service: str
    runs: tuple[Run, ...]


def report(c: Context, name: str) -> History:
    """The history of the service of one frame. One question for each of its containers, of which few are kept.

    Raises:
        Exit: with code 2 when there is no such frame, or several and none was named.
    """
    service = Service.of(c, name)
    mine = [one for one in service.own(service.engine.containers()) if one.name not in service.temporary]
    places = order_of_running(mine)
    details = [found for one in mine if (found := service.engine.container(one.id))]
    details.sort(key=lambda one: (places[one.id], one.created), reverse=True)
    told = told_to_stop(service.engine, details)
    return History(service.name, tuple(run_of(one, details, told) for one in details))


def told_to_stop(engine: Engine, containers: Sequence[Container]) -> set[str]:
    """Those of the containers that were told to stop, by id.

    One that docker would start again, whatever its end, is down for no other reason. Of the others the engine may
    remember it.
    """
    down = [one for one in containers if not one.running and one.finished]
    sure = {one.id for one in down if one.restart_policy in ("always", "unless-stopped") and not one.error}
    unsure = {one.id: one.finished for one in down if one.id not in sure}
    return sure | (engine.stopped_lately(unsure, min(unsure.values()) - MARGIN) if unsure else set())


def run_of(container: Container, others: Sequence[Container], told: Collection[str]) -> Run:
    """One container as a run.

    Args:
        others: all of the service's.
        told: those that were told to stop.
    """
    mine = ticket.read(container)
    ended = 0.0 if container.running else container.finished
    return Run(
        tag=label.version_of(container.labels, container.image),
        commit=label.commit_of(container.labels) or None,
        container=container.name,
        id=container.id,
        image=container.image,
        state=container.state,
        by=mine.by if mine else None,
        created=document.moment(container.created),
        started=document.moment(container.started),
        ended=document.moment(ended),
        restarts=container.restarts,
        end=end_of(container, others, container.id in told) if ended else None,
    )


def end_of(container: Container, others: Sequence[Container], told: bool) -> End:
    """How a container that is down ended: by the switch that made one of the others, or else by itself."""
    replacing = [found for other in others if (found := stopped_by(container, other))]
    last = max(replacing, key=lambda found: (found.number, found.since), default=None)
    return End(
        exit_code=container.exit_code,
        out_of_memory=container.out_of_memory,
        error=container.error or None,
        replaced_by=last.tag if last else None,
        by=last.by if last else None,
        stopped=told or bool(last) or None,
    )


def stopped_by(container: Container, other: Container) -> Ticket | None:
    """The ticket of the switch that made `other`, if that stopped the container: it still ran then."""
    theirs = ticket.read(other)
    if not theirs or container.finished < other.created:
        return None
    return theirs if any(held.running and held.id == container.id[:12] for held in theirs.old) else None


def show(found: History) -> None:
    """Print the history as a table."""
    if not found.runs:
        say(f"No container of {found.service} is here.")
        return
    heads = ("version", "commit", "from", "to", "started by", "ended", "container")
    table.show("", heads, map(line, found.runs), spare=("container", "commit", "started by"))


def line(run: Run) -> tuple[str, ...]:
    return (
        run.tag,
        (run.commit or "?")[:7],
        minutes(run.created),
        minutes(run.ended) if run.ended else "",
        run.by or BY_HAND,
        table.Styled(how(run), colour(run)),
        run.container,
    )


def minutes(time: str | None) -> str:
    """A time of a document as people write it, in UTC: 2019-08-30 14:46."""
    return time[:16].replace("T", " ") if time else "?"


def colour(run: Run) -> str:
    """Rich's style for how a run ended: bad where it ended by itself and failed."""
    if run.end is None:
        return "green" if run.state == "running" else ""
    return "red" if run.end.exit_code and not run.end.stopped else ""


def how(run: Run) -> str:
    """How a run ended, in a few words; docker's state while it runs."""
    if run.end is None:
        return run.state if run.started else f"{run.state}, never ran"
    if run.end.replaced_by:
        return f"replaced by {run.end.replaced_by} ({run.end.by})"
    if run.end.stopped:
        return f"stopped (exit code {run.end.exit_code})"
    why = "out of memory" if run.end.out_of_memory else brief(run.end.error or "", 60)
    return f"exit code {run.end.exit_code}{f', {why}' if why else ''}"
