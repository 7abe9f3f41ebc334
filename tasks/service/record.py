"""How a container was run: the checked command that it was made by, kept on it as a label.

So a version comes back as it ran, whatever its image's label or the settings say today.
"""

import shlex
from typing import TYPE_CHECKING

from invoke import Exit

from ..engine import label
from ..engine.records import ContainerRow, ImageRow

if TYPE_CHECKING:
    from ..recommended.command import Recommended


def text(service: str, command: "Recommended", image: str) -> str:
    """A command as a label's value: a `docker run …` that can be read, and typed. `image`: its reference."""
    words = ["docker", "run", "--detach", "--name", service, *command.arguments(), image, *command.command]
    return shlex.join(words)


def of(container: ContainerRow, image: ImageRow | None) -> str:
    """The record on a container; "" without one. One that it has from its image was not written by a switch."""
    said = container.labels.get(label.RAN, "")
    return "" if image and image.labels.get(label.RAN) == said else said


def read(said: str) -> "Recommended | None":
    """A record, or an image's recommended command, as a command, whatever its image; None where it is none.

    Nothing in it is checked: that was done before it was written.
    """
    from ..recommended import grammar
    from ..recommended.command import after_run, parse, split

    try:
        _, rest = grammar.options_of(after_run(split(said)))
        return parse(said, rest[0]) if rest else None
    except (grammar.Malformed, Exit):
        return None
