"""Whether machine, engine and project are fit for the tasks: a finding for each thing, and what to type."""

import sys
from collections.abc import Iterator
from functools import partial

from invoke import Context, Exit
from msgspec import Struct

from ..engine.engine import current_engine
from ..engine.facts import Facts
from ..host import table
from ..host.table import readable
from ..service.service import Service
from ..settings.this_run import load_settings
from . import images, of_command, of_engine, of_machine, of_source
from .finding import FAILURE, OK, WARNING, Finding, attempted

GAP = 2  # columns between two
STYLES = {OK: "green", WARNING: "yellow", FAILURE: "bold red"}


class Diagnosis(Struct, frozen=True):
    """All findings; `healthy` where none of them is a failure."""

    healthy: bool
    findings: tuple[Finding, ...]


def diagnosis(c: Context, name: str) -> Diagnosis:
    """Look at everything, for one frame, or with the name "" for all. Nothing is changed.

    Raises:
        Exit: with code 2 for wrong settings, and when there is no such frame.
    """
    settings = load_settings(c)
    frames = {name: settings.frame(name)} if name else settings.frames
    found = [
        *attempted("engine", partial(of_engines, c, name)),
        *attempted("checkout", partial(of_source.checkouts, c, settings, frames)),
        *attempted("vendor", of_source.vendor),
        *of_machine.completion(),
    ]
    return Diagnosis(all(one.state != FAILURE for one in found), tuple(found))


def of_engines(c: Context, name: str) -> Iterator[Finding]:
    """What needs an engine; when none answers, that is all there is to say.

    Raises:
        Exit: when it does not answer.
    """
    engine = current_engine()
    try:
        facts = engine.facts()
    except Exit:
        yield from attempted("client", partial(of_engine.client, c, engine, answers=False))
        raise
    yield from of_engine.engine_itself(engine, facts)
    yield from attempted("client", partial(of_engine.client, c, engine, answers=True))
    yield from of_engine.store(facts)
    yield from attempted("builder", partial(of_engine.builder, c, engine))
    settings, versions = load_settings(c), images.report(c, name).versions
    for key in [name] if name else settings.frames:
        service = Service(c, engine, settings, settings.frames[key])
        yield from attempted("command", partial(of_one_command, c, service, key, facts), key)
        if engine.shares_files:
            yield from of_machine.disk(facts, versions, key, service.next_command("prune"))


def of_one_command(c: Context, service: Service, frame: str, facts: Facts) -> Iterator[Finding]:
    """What the recommended command of a frame needs.

    Raises:
        Exit: with code 1 for one that docker would not understand.
    """
    what = of_command.asked(service, frame)
    yield from of_command.allowed(what)
    yield from of_command.gpu(c, what, facts)
    yield from of_command.resources(what, facts)
    if service.engine.shares_files:
        yield from of_command.data(what)
        yield from of_command.env_files(what)
    yield from of_command.ports(what)
    yield from of_command.connections(what)


def show(found: Diagnosis) -> None:
    """Print each finding, and what they come to: in a pipe a line each.

    On a terminal a command has a line of its own, which only the terminal itself may break, so that it can be copied.
    """
    from rich.table import Table
    from rich.text import Text

    several = len({one.frame for one in found.findings if one.frame}) > 1
    checks = [f"{one.check} ({one.frame})" if several and one.frame else one.check for one in found.findings]
    widths, terminal = (max(map(len, STYLES)), max(map(len, checks))), sys.stdout.isatty()
    for one, check in zip(found.findings, checks, strict=True):
        line = Table.grid(padding=(0, GAP))
        for width in widths:
            line.add_column(width=width, no_wrap=True)
        line.add_column(overflow="fold")
        way = f"Type: {readable(one.advice)}" if one.advice else ""
        said = readable(one.said) if terminal else f"{readable(one.said)} {way}".rstrip()
        line.add_row(Text(one.state, STYLES[one.state]), readable(check), Text(said))
        table.put(line)
        if way and terminal:
            print(f"{' ' * (sum(widths) + 2 * GAP)}{way}")
    counts = {state: sum(one.state == state for one in found.findings) for state in (FAILURE, WARNING)}
    said_of = [f"{count} {state}{'s' * (count > 1)}" for state, count in counts.items() if count]
    print(", ".join(said_of) or "All is well.", flush=True)
