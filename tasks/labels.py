"""The task `labels`: what an image says of itself."""

import json
import re
import sys

from invoke import Context, Exit

from .engine import engine
from .engine.engine import Engine
from .engine.records import ImageRow
from .program.task import task
from .service import recovery
from .service import versions as service
from .service.versions import printable
from .settings.model import REFERENCE, Frame
from .settings.this_run import load_settings, next_command

WIDE = 100_000  # columns of a pipe or a file


@task(
    help={
        "name": "Which frame, a key under stack.frames; needed only when there are several.",
        "tag": "A version of the frame; without it, the one that runs.",
        "image": "Any image, by reference or id.",
        "json": "Print JSON and nothing else.",
        "key": "Print the value of this label and nothing else.",
    }
)
def labels(c: Context, name: str = "", tag: str = "", image: str = "", json: bool = False, key: str = "") -> None:
    """Show what an image says of itself."""
    if image and tag:
        raise Exit("--image names an image and --tag a version of the frame: type one of them.", code=2)
    if json and key:
        raise Exit("--json prints all labels and --key one value: type one of them.", code=2)
    docker = engine.engine()
    found: ImageRow | None
    if image:
        found = docker.image(image) if re.fullmatch(REFERENCE, image) else None
        if found is None:
            raise Exit(f"There is no image {printable(image)} on this engine. See: docker image ls", code=2)
    else:
        frame = load_settings(c).frame(name)
        if under_way := recovery.notice(c, docker, frame):
            print(under_way, file=sys.stderr)
        found = tagged(c, docker, frame, tag) if tag else running(c, docker, frame)
    show(found, json, key)


def tagged(c: Context, docker: Engine, frame: Frame, tag: str) -> ImageRow:
    """A frame's image with this tag.

    Raises:
        Exit: with code 2 when there is none, with those that there are.
    """
    images = docker.images(frame.image)
    for image in images:
        if image.tag == tag:
            return image
    raise missing(c, f"There is no version {printable(tag)} of {frame.image}", frame, images)


def running(c: Context, docker: Engine, frame: Frame) -> ImageRow:
    """The image of the version that runs; it may have lost its tag to a later build.

    Raises:
        Exit: with code 2 when none runs, or several, with the versions that there are.
    """
    images = docker.images(frame.image)
    containers = service.running(docker, frame)
    serving = [one for one in containers if one.name == frame.service]  # beside it, a rehearsal may run
    ids = {container.image for container in serving or containers}
    if len(ids) > 1:
        raise missing(c, f"{len(ids)} versions of {frame.image} are running", frame, images)
    found = next((image for image in images if image.id in ids), None) or next(map(docker.image, ids), None)
    if found is None:
        raise missing(c, f"No version of {frame.image} is running", frame, images)
    return found


def missing(c: Context, what: str, frame: Frame, images: list[ImageRow]) -> Exit:
    """The sentence about a version that is not here, with those that are."""
    if not images:
        return Exit(
            f"There is no version of {frame.image} on this engine. Type: {next_command(c, frame, 'frame')}", code=2
        )
    return Exit(f"{what}. Type --tag with one of: {', '.join(image.tag for image in images)}.", code=2)


def show(image: ImageRow, as_json: bool, key: str) -> None:
    """Print the labels: one bare value, JSON, or a table. A terminal gets nothing that could steer it."""
    if as_json:
        print(json.dumps(image.labels, indent=2, sort_keys=True))
    elif not key:
        show_table(image)
    elif key in image.labels:
        print(readable(image.labels[key]) if sys.stdout.isatty() else image.labels[key])
    else:
        names = ", ".join(printable(name) for name in sorted(image.labels))
        raise Exit(f"{image.reference} has no label {printable(key)}. It has: {names or 'none'}.", code=2)


def show_table(image: ImageRow) -> None:
    """Print the labels as a table, as wide as the terminal; in a file or a pipe, no value is wrapped."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    title = Text(f"{image.reference}  {image.id[:19]}", "bold")
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    table.add_column("label", overflow="fold")
    table.add_column("value", overflow="fold")
    for name, value in sorted(image.labels.items()):
        table.add_row(Text(printable(name)), Text(readable(value)))  # Text: an image's labels are nobody's markup
    shown = table if image.labels else f"{image.reference} has no labels."
    if not sys.stdout or sys.stdout.isatty():
        Console().print(shown)
        return
    console = Console(width=WIDE)
    with console.capture() as captured:
        console.print(shown)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))  # rich fills up to the width


def readable(text: str) -> str:
    """A value of several lines, without anything that could steer a terminal."""
    return "\n".join(printable(line) for line in text.split("\n"))
