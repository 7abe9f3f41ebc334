"""What a service's container wrote: the one that runs, or one of an earlier version."""

import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime

from invoke import Exit
from msgspec import Struct

from ..engine import commands, label
from ..engine.records import ContainerRow
from ..host.handing import ended, hand_over, started
from ..host.text import printable
from ..service.service import Service
from .running import NOTHING_RUNS, serving

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
AGO = r"([0-9]{1,18}(\.[0-9]+)?(ns|us|ms|s|m|h))+|[0-9]{1,18}(\.[0-9]+)?"  # Go's durations, or seconds since 1970
MOST_HOURS = 2_562_047  # a duration in Go: nanoseconds in 64 bits
HOURS = {"h": 1.0, "m": 1 / 60, "s": 1 / 3600}  # of a unit; the others are too small to count
DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"


class Part(Struct, frozen=True):
    """Which part of a log: the last `tail` lines, "" for all, since a time, "" for the beginning; `follow`: and on."""

    follow: bool
    tail: str
    since: str


def part(follow: bool, stay: bool, tail: str, since: str) -> Part:
    """Which part of a log is asked for. On a terminal it is followed, in a pipe only where that is said.

    Args:
        stay: whether it is not to be followed.

    Raises:
        Exit: with code 2 for what docker would not understand.
    """
    if follow and stay:
        raise Exit("Type either --follow or --no-follow.", code=2)
    if tail and tail != "all" and not re.fullmatch("[0-9]{1,9}", tail):
        raise Exit(f"--tail is a number of lines, or all, and {printable(tail)} is neither.", code=2)
    if since and not is_ago(since) and not is_date(since):
        forms = "10m, 2h30m, 2019-08-30 or 2019-08-30T14:46:20Z"
        raise Exit(f"--since is a time such as {forms}, and {printable(since)} is none.", code=2)
    return Part(follow or (sys.stdout.isatty() and not stay), tail, since)


def is_ago(text: str) -> bool:
    """Whether a text is a duration, or a number of seconds, as docker reads it."""
    parts = re.findall(r"([0-9.]+)([a-z]+)", text)
    return bool(re.fullmatch(AGO, text)) and sum(float(one) * HOURS.get(unit, 0) for one, unit in parts) < MOST_HOURS


def is_date(text: str) -> bool:
    """Whether a text is a day, or a moment, as docker reads it."""
    if not re.fullmatch(DATE, text):
        return False
    try:
        datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return False
    return True


def of(service: Service, previous: bool, tag: str) -> ContainerRow:
    """The container whose log is meant.

    Args:
        previous: whether that of the version before is.
        tag: the version, "" for the one that runs, or that ended where nothing runs.

    Raises:
        Exit: with code 2 where there is no such container, 3 where the service has none.
    """
    if previous and tag:
        raise Exit("Type either --previous or --tag TAG.", code=2)
    mine = service.own(service.engine.containers())
    kept = service.kept(mine)
    now = serving(service, mine)[0] or next((one for one in mine if one.name == service.name), None)
    there = [*([now] if now else []), *kept]
    if previous:
        if not kept:
            raise Exit(f"No container of an earlier version of {service.name} is kept.{named(there)}", code=2)
        return kept[0]
    if tag:
        image = service.engine.image(f"{service.frame.image}:{tag}") if tag.isprintable() and " " not in tag else None
        for one in there:
            if label.version_of(one.labels, one.image) == tag or (image and one.image == image.id):
                return one
        raise Exit(f"No container of {service.name} here ran {printable(tag)}.{named(there)}", code=2)
    if not now:
        way = f" Type: {service.way_to_run()}"
        raise Exit(f"{service.name} does not run.{named(there) or way}", code=NOTHING_RUNS)
    return now


def named(containers: Sequence[ContainerRow]) -> str:
    """The end of a sentence: which versions have a log."""
    tags = list(dict.fromkeys(label.version_of(one.labels, one.image) for one in containers))
    return f" Type --tag with one of: {', '.join(tags)}." if tags else ""


def show(service: Service, container: ContainerRow, wanted: Part) -> int:
    """Print a log: in a pipe as it was written, on a terminal without what could steer it. Returns the exit code."""
    key = container.id[:12]
    argv = commands.logs(key, wanted.follow and container.running, wanted.tail, wanted.since)
    if not sys.stdout.isatty():
        return hand_over(argv, service.engine.environment)
    process = started(argv, service.engine.environment, subprocess.PIPE)
    assert process.stdout
    try:
        for line in process.stdout:
            print(readable(line.decode(errors="replace")), flush=True)
        return ended(process)
    finally:
        process.kill()
        process.wait()


def readable(line: str) -> str:
    """A line of a log for a terminal: of one that was written over itself, as progress bars are, the last form."""
    shown = COLOURS.sub("", line.rstrip("\r\n")).rpartition("\r")[2]
    return printable(shown.expandtabs())
