"""A service's status for people: a line for each thing, and a table of the options that differ."""

from collections.abc import Iterator

from ..engine import label
from ..host import table
from ..host.text import ago, brief
from ..service.service import Service
from .drift import Difference, Drift
from .running import Base, Meaning, Running
from .source import MOST, Ahead
from .status import Status

GOOD, BAD, WARNING, PLAIN = "green", "bold red", "yellow", ""
Fact = tuple[str, str, str]


def show(service: Service, status: Status) -> None:
    """Print a status."""
    now = service.engine.now()  # what it says of containers is by its own clock
    table.facts([*head(service, status, now), *(facts(status.running, now) if status.running else ()), *tail(status)])
    if status.running and status.running.drift.differences:
        differences(status.running.drift)


def head(service: Service, status: Status, now: float) -> Iterator[Fact]:
    """What it comes to. `now`: by the engine's clock."""
    if status.running and status.healthy:
        yield "service", f"{status.running.container}: {status.running.tag}, healthy", GOOD
    elif status.running:
        troubles = "; ".join(status.troubles)
        yield "service", f"{status.running.container}: {status.running.tag}, not healthy: {troubles}", BAD
    else:
        yield "service", f"{status.service}: nothing runs. Type: {service.way_to_run()}", BAD
    if ended := status.stopped:
        when = f", {since(ended.finished, now)}" if ended.finished else ""
        error = f": {brief(ended.error)}" if ended.error else ""
        how = f"exit code {ended.exit_code}" if ended.finished or error else "never ran"
        yield "ended", f"{ended.container}: {ended.tag}, {how}{error}{when}", PLAIN


def tail(status: Status) -> Iterator[Fact]:
    """What is beside it."""
    if status.notice:
        yield "switch", status.notice, WARNING
    if found := status.weights:
        runs = found.state == "running"
        yield "weights", f"{found.container}: {found.state}, port {found.port}", PLAIN if runs else WARNING


def facts(found: Running, now: float) -> Iterator[Fact]:
    """What is known of the container that serves. `now`: by the engine's clock."""
    dirty = ", with uncommitted changes" if found.dirty else ""
    subject = f": {brief(found.source.subject)}" if found.source.subject else ""
    yield "commit", f"{(found.commit or 'unknown')[:7]} of {found.branch or '?'}{dirty}{subject}", PLAIN
    yield "image", f"{short(found.image)}, {tag(found.tag, found.tag_means)}", good(found.tag_means)
    if found.base:
        yield "base", base(found.base), good(found.base.name_means)
    by = f"by {found.started_by}" if found.started_by else "by hand"
    started = f"{found.since.replace('T', ' ').replace('Z', ' UTC')}, {since(found.since, now)}" if found.since else "?"
    yield "started", f"{started}, {by}", PLAIN
    yield "health", health(found), PLAIN if found.health in (None, "healthy") and not found.restarts else WARNING
    if found.port:
        says = {True: "answers", False: "does not answer", None: "cannot be asked from here"}[found.port.answers]
        yield "port", f"{found.port.number} {says}", BAD if found.port.answers is False else PLAIN
    if gpu := found.gpu:
        risk = "; at risk: the next systemctl daemon-reload on its host may take it away" if gpu.at_risk else ""
        cure = f"; type: docker restart {found.container}" if gpu.state == "lost" else ""
        state = "cannot be told" if gpu.state == "unknown" else gpu.state
        colour = {"fine": WARNING if gpu.at_risk else PLAIN, "lost": BAD}.get(gpu.state, WARNING)
        yield "gpu", f"{state}: {gpu.why}{risk}{cure}", colour
    yield from commits(found.source, found.commit or "")
    if found.others:
        yield "others", f"{count(found.others, 'other container')} from this image", PLAIN
    if found.also:
        yield "also", f"{', '.join(found.also)} run{'s' * (len(found.also) == 1)} for this service", WARNING
    yield "options", options(found.drift), WARNING if found.drift.differences else PLAIN


def tag(name: str, means: Meaning) -> str:
    """What a tag means by now, in words."""
    return {
        "this": f"still called {name}",
        "another": f"and {name} means another image by now",
        "nothing": f"and no image is called {name} any more",
    }[means]


def base(found: Base) -> str:
    """Which base an image stands on, in words."""
    by_now = {
        "this": "the present one",
        "another": "a former one: the name means another image by now",
        "nothing": "which is not here any more",
    }
    return f"{found.name} {short(found.id)}, {by_now[found.name_means]}"


def health(found: Running) -> str:
    """A container's health and restarts, in words."""
    return f"{found.health or 'no health check'}, {count(found.restarts, 'restart')}"


def commits(found: Ahead, runs: str) -> Iterator[Fact]:
    """How far the source is ahead of the commit that `runs`, and by which commits."""
    if not found.known:
        way = f"; type: {found.fetch}" if found.fetch else ""
        yield "source", f"{found.folder}: {brief(found.why)}{way}", WARNING
        return
    said = [f"{count(found.ahead or 0, 'commit')} not deployed"] if found.ahead else []
    if found.behind:
        said.append(f"{count(found.behind, 'commit')} deployed that HEAD lacks")
    same = "HEAD is what runs" if (found.head or "").startswith(runs) else "what runs is as in HEAD, in this folder"
    yield "source", f"{found.folder}: {', '.join(said) or same}", WARNING if said else PLAIN
    for one in found.commits:
        yield "", f"{one.id[:7]} {brief(one.subject, 100)}", PLAIN
    if (found.ahead or 0) > MOST:
        yield "", f"and {(found.ahead or 0) - MOST} more", PLAIN


def options(found: Drift) -> str:
    """What can be said of the options in one line."""
    without = "" if found.recommended else " (the image recommends nothing that can be read)"
    if found.differences:
        return (
            f"{count(len(found.differences), 'option')} differ{'s' * (len(found.differences) == 1)}, see below{without}"
        )
    return ("as the image recommends and the settings say" if found.recommended else "as the settings say") + without


def differences(found: Drift) -> None:
    """A table of the options that differ; what differs from how the container runs is named in full."""
    rows = [
        (
            one.option,
            one.container or "-",
            told(one, one.recommended, one.differs_from_recommended),
            told(one, one.settings, one.differs_from_settings),
        )
        for one in found.differences
    ]
    table.show("Options that differ", ("option", "runs with", "recommended", "settings"), rows)


def told(one: Difference, value: str | None, differs: bool | None) -> str:
    """What an option should be: the value, or that it is the same."""
    if differs is None:
        return "?"
    if not differs:
        return "the same"
    if one.secret and value:
        return "another value" if one.container else "set, not shown"
    return value or "-"


def good(means: Meaning) -> str:
    return PLAIN if means == "this" else WARNING


def short(image: str) -> str:
    """An image's id as docker shows it."""
    return image.removeprefix("sha256:")[:12]


def count(number: int, what: str) -> str:
    """So many of a thing."""
    return f"{number} {what}{'s' * (number != 1)}"


def since(moment: str, now: float) -> str:
    """How long ago a time in ISO 8601 was."""
    return ago(now - label.created_of({label.CREATED: moment}))
