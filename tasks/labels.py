"""The task `labels`: what an image says of itself."""

import json

from invoke import Context, Exit, task

from .shared import engine, service
from .shared.context import load_settings
from .shared.engine import Engine, Image
from .shared.settings import Frame


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
    docker = engine.engine()
    if image:
        found = docker.image(image)
        if found is None:
            raise Exit(f"There is no image {image} on this engine. See: docker image ls", code=2)
    else:
        found = version(docker, load_settings(c).frame(name), tag)
    show(found, json, key)


def version(docker: Engine, frame: Frame, tag: str) -> Image:
    """A frame's image: the one with this tag, or the one that runs.

    Raises:
        Exit: with code 2 when there is none, with those that there are.
    """
    images = docker.images(frame.image)
    if not images:
        raise Exit(f"There is no version of {frame.image} on this engine. Type: inv frame", code=2)
    running = {container.image for container in service.running(docker, frame)}
    chosen = [image for image in images if (image.tag == tag if tag else image.id in running)]
    if not chosen:
        missing = f"There is no version {tag}" if tag else f"No version of {frame.image} is running"
        raise Exit(f"{missing}. Type --tag with one of: {', '.join(image.tag for image in images)}.", code=2)
    return chosen[0]


def show(image: Image, as_json: bool, key: str) -> None:
    """Print the labels: one bare value, JSON, or a table."""
    if key:
        if key not in image.labels:
            raise Exit(f"{image.reference} has no label {key}. It has: {', '.join(sorted(image.labels)) or 'none'}.", code=2)
        print(image.labels[key])
    elif as_json:
        print(json.dumps(image.labels, indent=2, sort_keys=True))
    else:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(title=f"{image.reference}  {image.id[:19]}", title_justify="left", title_style="bold", box=box.SIMPLE)
        table.add_column("label", overflow="fold")
        table.add_column("value", overflow="fold")
        for name, value in sorted(image.labels.items()):
            table.add_row(Text(name), Text(value))  # Text: an image's labels are nobody's markup
        Console().print(table if image.labels else f"{image.reference} has no labels.")
