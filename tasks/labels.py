"""The task `labels`: what an image says of itself."""

import json
import re
import sys

from invoke import Context, Exit

from .engine.engine import current_engine
from .engine.names import REFERENCE
from .engine.records import ImageRow
from .host import table
from .host.text import printable
from .program.task import task
from .service import pick
from .service.service import Service
from .service.situation import notice


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
    show(any_image(image) if image else version(c, name, tag), json, key)


def any_image(reference: str) -> ImageRow:
    """An image by reference or id.

    Raises:
        Exit: with code 2 when there is none.
    """
    found = current_engine().image(reference) if re.fullmatch(REFERENCE, reference) else None
    if found is None:
        raise Exit(f"There is no image {printable(reference)} on this engine. See: docker image ls", code=2)
    return found


def version(c: Context, name: str, tag: str) -> ImageRow:
    """The version of a frame with this tag, or the one that runs. Says whether a switch is unfinished."""
    service = Service.of(c, name)
    if unfinished := notice(service):
        print(unfinished, file=sys.stderr)
    return pick.tagged(service, tag) if tag else pick.running(service)


def show(image: ImageRow, as_json: bool, key: str) -> None:
    """Print the labels: one bare value, JSON, or a table. A terminal gets nothing that could steer it."""
    if as_json:
        print(json.dumps(image.labels, indent=2, sort_keys=True))
    elif key and key not in image.labels:
        names = ", ".join(printable(name) for name in sorted(image.labels))
        raise Exit(f"{image.reference} has no label {printable(key)}. It has: {names or 'none'}.", code=2)
    elif key:
        print(table.readable(image.labels[key]) if sys.stdout.isatty() else image.labels[key])
    elif not image.labels:
        print(f"{image.reference} has no labels.")
    else:
        table.show(f"{image.reference}  {image.id[:19]}", ("label", "value"), dict(sorted(image.labels.items())))
