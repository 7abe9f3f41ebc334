"""Moving a git pin to another commit."""

from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from invoke import Exit
from msgspec.structs import replace

from ..host.saying import say
from . import manifest
from .job import Job, Refused
from .pins import Git
from .pip_settings import PipSettings
from .plan import Wishes, choose, edits
from .repositories import newest


def moved_pin(vendor: Path, wishes: Wishes) -> dict[str, Git]:
    """The pin with its new commit, shown beside the old one; nothing when it is there already.

    The file is changed only when the new commit has arrived: a pin never names what cannot be had.

    Raises:
        Exit: with code 2 when it is no git pin; with code 1 when it was edited, or has no such commit to move to.
    """
    name = wishes.update
    pin = choose(vendor, name, {})[name]
    if not isinstance(pin, Git):
        raise Exit(f"{name} is no git pin: write its new version and sha256 into vendor.yaml yourself.", code=2)
    state = manifest.state(vendor, name)
    if state.edited and not wishes.force:
        raise Exit(f"vendor/{name} {edits(state)}: move your edits away, or add --force to lose them.", code=1)
    with TemporaryDirectory() as folder:
        try:
            rev = newest(pin, wishes.to, Job(Path(folder), PipSettings(), lambda *_: None, Event()))
        except Refused as error:
            raise Exit(f"{name} was not moved: {error}.", code=1) from None
    if rev == pin.rev:
        say(f"{name} is at {rev} already.")
        return {}
    say(f"{name}: {pin.rev} → {rev}")
    return {name: replace(pin, rev=rev)}
