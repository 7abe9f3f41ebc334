"""The recommended command: from a label's text to an argument list that is safe to run.

An image from elsewhere can carry any label, so the text is hostile until checked. It is split as a shell would split
it, but no shell ever sees it. Every option is read as docker itself would read it (grammar.py, values.py), and its
value must be a safe one (limits.py).

What this cannot promise: whoever writes under the data directory can exchange a folder for a symbolic link after the
check, and a named volume holds what the engine's owner made it to hold.
"""

import shlex

from invoke.exceptions import Exit
from msgspec import Struct
from msgspec.structs import replace

from ..engine import label
from ..engine.names import full_reference, valid_name
from ..host.text import brief
from . import grammar, limits
from .grammar import Malformed, Option
from .limits import Allowed
from .splitting import split
from .values import clean_path, host_address, host_ports, read_mount, read_volume

LONGEST_VALUE = 80  # characters of a value in a sentence

# `docker create` has no such options, and for a detached container they change nothing.
ONLY_RUN = frozenset({"detach-keys", "sig-proxy"})


class Refused(Exit):
    """A recommended command that is not run; the message is one sentence, the exit code 1."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=1)


class Recommended(Struct, frozen=True):
    """A recommended command, read as docker reads it.

    `options` holds every option but the name and `--detach`, in the order written; flags that are off are left out.
    """

    name: str
    image: str
    options: tuple[Option, ...]
    command: tuple[str, ...]

    def arguments(self) -> list[str]:
        """The options as arguments of `docker create`, each spelled in one word: `--init`, `--volume=/data:/data`."""
        return [spelled(option, "=") for option in self.options if option.name not in ONLY_RUN]

    def values(self, name: str) -> tuple[str, ...]:
        """All values given to an option, in the order written."""
        return tuple(option.value for option in self.options if option.name == name and option.value is not None)

    def value(self, name: str) -> str | None:
        """The value that counts for an option that has one value: the last. None when it was not given."""
        values = self.values(name)
        return values[-1] if values else None

    @property
    def network(self) -> str:
        """The network; docker's NetworkMode is the first one given."""
        return next(iter(self.values("network")), "default")

    def ports(self) -> tuple[tuple[str, int], ...]:
        """The TCP ports that this publishes, each with the host's address ("" for every one), ascending by address.

        Those that the engine chooses itself are not among them.
        """
        ports: set[tuple[str, int]] = set()
        for value in self.values("publish"):
            try:
                ports.update((host_address(value), number) for number in host_ports(value))
            except Malformed:  # possible with --trust: then docker says what it makes of it
                continue
        return tuple(sorted(ports))

    def binds(self) -> tuple[str, ...]:
        """The host's paths that are mounted into the container, cleaned as the engine cleans them."""
        sources: list[str] = []
        for option in self.options:
            try:
                if option.name == "volume":
                    sources.append(read_volume(option.value or "").source)
                elif option.name == "mount":
                    sources.append(read_mount(option.value or "").get("source", ""))
            except Malformed:  # as in `ports`
                continue
        return tuple(clean_path(source) for source in sources if source.startswith("/"))

    def without(self, *names: str) -> "Recommended":
        """The same command with some options left out."""
        return replace(self, options=tuple(option for option in self.options if option.name not in names))


def parse(text: str, image: str) -> Recommended:
    """Read a label's text as the command that starts `image` in the background.

    Args:
        text: the label's value.
        image: the reference of the image that was picked; the command may write it in another of docker's ways.

    Raises:
        Refused: when it is anything else, or docker could not read it: such a command is not run with --trust either.
    """
    try:
        found, rest = grammar.options_of(after_run(split(text)))
        names = [option.value for option in found if option.name == "name"]
        options = settled(found)
        if Option("detach", None) not in options:
            raise Malformed("does not run in the background, with --detach")
        if Option("help", None) in options or any(option.name == "attach" for option in options):
            raise Malformed("has --help or --attach, so docker would start nothing in the background")
        if len(names) != 1 or not valid_name(names[0] or ""):
            raise Malformed("does not give the container one valid --name")
        if not rest or not same_image(rest[0], image):
            started = brief(shlex.quote(rest[0]), LONGEST_VALUE) if rest else "no image"
            raise Malformed(f"runs {started} instead of the image itself")
    except Malformed as error:
        raise Refused(
            f"The recommended command of {image} {error}; "
            f"add --from-settings to use that of invoke.yaml, or see it with: {labels_command(image)}"
        ) from None
    kept = tuple(option for option in options if option.name not in ("name", "detach"))
    return Recommended(names[0] or "", rest[0], kept, tuple(rest[1:]))


def after_run(words: list[str]) -> list[str]:
    """What follows `docker run` or `docker container run`.

    Raises:
        Malformed: when it is another program, another command, or docker with options of its own.
    """
    for start in (["docker", "run"], ["docker", "container", "run"]):
        if words[: len(start)] == start:
            return words[len(start) :]
    raise Malformed("is not a `docker run`")


def settled(options: list[Option]) -> tuple[Option, ...]:
    """The options with each flag once, where it was written last, if it is on: with flags, docker's last word counts.

    Other options stay as often as they are written: each value is checked, and none can hide behind another.
    """
    last = {option.name: index for index, option in enumerate(options)}
    kept: list[Option] = []
    for index, option in enumerate(options):
        if option.name not in grammar.FLAGS:
            kept.append(option)
        elif index == last[option.name] and option.value == "true":
            kept.append(Option(option.name, None))
        elif index == last[option.name] and option.name in grammar.SPOKEN_OFF:
            kept.append(option)
    return tuple(kept)


def same_image(written: str, image: str) -> bool:
    """Whether two references are the same repository and tag. A digest is another matter: it must be the same text."""
    if written == image:
        return True
    return "@" not in written + image and full_reference(written) == full_reference(image)


def unusual(recommended: Recommended, allowed: Allowed) -> list[str]:
    """What in a command is not plainly safe, one short sentence each; an empty list means: safe to run."""
    found: list[str] = []
    for option in recommended.options:
        if option.name not in allowed.options:
            found.append(f"{spelled(option, ' ')} is not on the list start.allow")
        elif option.value is not None and (objection := limits.objection(option.name, option.value, allowed)):
            found.append(f"{spelled(option, ' ')} {objection}")
    if len(recommended.values("network")) > 1:
        found.append("--network is given more than once")
    return found


def check(text: str, image: str, allowed: Allowed) -> Recommended:
    """Read a label's text as `parse` does, and accept it only if nothing in it is `unusual`.

    Raises:
        Refused: with the first thing that stands against it, the number of others, and the way out.
    """
    recommended = parse(text, image)
    found = unusual(recommended, allowed)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise Refused(
            f"The recommended command of {image} is not plainly safe: {found[0]}{more}; "
            "to see it and decide, add --trust."
        )
    return recommended


def spelled(option: Option, between: str) -> str:
    """An option as docker reads it (between "=") or as people write it (between " ", shortened)."""
    if option.value is None:
        return f"--{option.name}"
    if between == "=" or option.name in grammar.FLAGS:
        return f"--{option.name}={option.value}"
    return f"--{option.name}{between}{brief(shlex.quote(option.value), LONGEST_VALUE)}"


def labels_command(image: str) -> str:
    """What to type to see an image's recommended command."""
    return shlex.join(["inv", "labels", "--image", image, "--key", label.COMMAND])
