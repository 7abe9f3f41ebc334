"""The labels of an image, for people and for programs."""

import json
import re
import sys

from invoke import Exit

from ..engine.engine import current_engine
from ..engine.names import REFERENCE
from ..engine.records import ImageRow
from ..host import table
from ..host.saying import say
from ..host.text import printable
from . import pick
from .service import Service
from .situation import notice


def any_image(reference: str) -> ImageRow:
    """An image by reference or id.

    Raises:
        Exit: with code 2 when there is none.
    """
    found = current_engine().image(reference) if re.fullmatch(REFERENCE, reference) else None
    if found is None:
        raise Exit(f"There is no image {printable(reference)} on this engine. See: docker image ls", code=2)
    return found


def version(service: Service, tag: str) -> ImageRow:
    """The version with this tag, or the one that runs. Says whether a switch is unfinished."""
    if unfinished := notice(service):
        say(unfinished, file=sys.stderr)
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
        say(f"{image.reference} has no labels.")
    else:
        table.show(f"{image.reference}  {image.id[:19]}", ("label", "value"), sorted(image.labels.items()))
