"""One service on one engine: what the functions of this wing are given."""

from collections.abc import Iterable, Sequence

from invoke import Context, Result
from msgspec import Struct

from ..engine import label
from ..engine.engine import Engine, current_engine
from ..engine.records import ContainerRow
from ..host import signals
from ..host.shell import run
from ..settings.model import Frame, Settings
from ..settings.this_run import load_settings, next_command
from . import versions


class Service(Struct, frozen=True):
    """The service of one frame on one engine, in one run of `inv`.

    Beside the container `name` that serves, and the stopped `<name>.…` of earlier versions, a switch has containers of
    its own, which are there only while it is under way or if it was cut off: `candidate`, `rehearsal` and
    `recovery_lock`.
    """

    c: Context
    engine: Engine
    settings: Settings
    frame: Frame

    @classmethod
    def of(cls, c: Context, name: str = "") -> "Service":
        """The service of the frame called `name`, or of the only one, on the engine that this run talks to.

        Raises:
            Exit: with code 2, when there is no such frame, or several and none was named.
        """
        settings = load_settings(c)
        return cls(c=c, frame=settings.frame(name), settings=settings, engine=current_engine())

    @property
    def name(self) -> str:
        return self.frame.service

    @property
    def candidate(self) -> str:
        return f"{self.name}.next"

    @property
    def rehearsal(self) -> str:
        return f"{self.name}.rehearsal"

    @property
    def recovery_lock(self) -> str:
        return f"{self.name}.recovery"

    @property
    def temporary(self) -> set[str]:
        """The names of the containers that only a switch has."""
        return {self.candidate, self.rehearsal, self.recovery_lock}

    @property
    def dry(self) -> bool:
        """Whether commands are only printed in this run."""
        return bool(self.c.config.run.dry)

    def do(self, command: Sequence[str], failed: str) -> Result:
        """Run a docker command on this engine, or print it under `--dry`.

        A signal waits until the command is over, so that its end is known.

        Args:
            failed: the sentence to end with when the command fails.

        Raises:
            Failed: with code 1 and that sentence.
        """
        with signals.held():
            return run(self.c, command, failed, env=self.engine.environment)

    def next_command(self, task: str, *words: str) -> str:
        """A command to type next, spelled so that it means the same frame and the same settings file as this run."""
        return next_command(self.c, self.frame, task, *words)

    def versions(self, containers: Iterable[ContainerRow], known: str = "") -> list[ContainerRow]:
        """Those of the containers that were made from a version of the frame. `known`: the id of an image that is one.

        A container's labels are those of its image, and a child image inherits them; so the image decides. Either it
        has a tag of the frame's, or it lost its tag (the tag was built anew), and then it must not be a version's
        nameless child.
        """
        labelled = [container for container in containers if label.names(container.labels, self.frame.image)]
        images = {container.image for container in labelled}
        verdicts = {image: image == known or versions.is_version(self.engine, self.frame, image) for image in images}
        return [container for container in labelled if verdicts[container.image]]

    def running(self) -> list[ContainerRow]:
        """The containers that run a version of the frame, whatever their names."""
        return [container for container in self.versions(self.engine.containers()) if container.running]

    def kept(self) -> list[ContainerRow]:
        """The stopped containers of earlier versions, `<name>.…`, the last that ran first."""
        found = {
            container.id: container
            for container in self.versions(self.engine.containers())
            if container.name.startswith(f"{self.name}.")
            and container.name not in self.temporary
            and not container.running
        }
        finished = {key: details.finished for key in found if (details := self.engine.container(key))}
        return sorted(found.values(), key=lambda container: finished.get(container.id, 0.0), reverse=True)
