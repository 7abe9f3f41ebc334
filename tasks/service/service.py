"""One service on one engine: what the functions of this wing are given."""

import shlex
from collections.abc import Iterable, Sequence

from invoke import Context, Result
from msgspec import Struct

from ..engine import commands
from ..engine.engine import Engine, current_engine
from ..engine.records import ContainerRow
from ..host import signals
from ..host.shell import Show, run
from ..settings.model import Frame, Settings
from ..settings.this_run import load_settings, next_command
from . import ticket, versions, whose


class Service(Struct, frozen=True):
    """The service of one frame on one engine, in one run of `inv`.

    Beside the container `name` that serves, and the stopped `<name>.…` of earlier versions, a switch has containers of
    its own, which are there only while it is under way or if it was cut off: `candidate`, `rehearsal` and
    `recovery_lock`.

    `where` is for an engine that docker alone would not mean in this run: `--context NAME`, or `--host ADDRESS`.
    """

    c: Context
    engine: Engine
    settings: Settings
    frame: Frame
    where: tuple[str, ...] = ()

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
        return versions.temporary(self.name)[0]

    @property
    def rehearsal(self) -> str:
        return versions.temporary(self.name)[1]

    @property
    def recovery_lock(self) -> str:
        return versions.temporary(self.name)[2]

    @property
    def temporary(self) -> set[str]:
        """The names of the containers that only a switch has."""
        return set(versions.temporary(self.name))

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
        return act(self.c, self.engine, self.spelled(command), failed)

    def spelled(self, command: Sequence[str]) -> list[str]:
        """A command as it can be typed: one of docker's names the engine, where that is not the one of this run."""
        return commands.elsewhere(self.where if command[0] == "docker" else (), command)

    def docker(self, *words: str) -> str:
        """A docker command to type next."""
        return shlex.join(self.spelled(["docker", *words]))

    def next_command(self, task: str, *words: str) -> str:
        """A command to type next, spelled so that it means the same engine, frame and settings file as this run."""
        return next_command(self.c, self.frame, task, *words, where=self.where)

    def way_to_run(self) -> str:
        """What to type where nothing runs: `start`, or `frame` where no version is here yet."""
        return self.next_command("start" if self.engine.images(self.frame.image) else "frame")

    def own(self, containers: Iterable[ContainerRow], known: str = "") -> list[ContainerRow]:
        """Those of the containers that are this service's. `known`: the id of an image that is a version."""
        return whose.own(self.engine, self.frame, containers, known)

    def running(self) -> list[ContainerRow]:
        """The service's containers that run."""
        return [container for container in self.own(self.engine.containers()) if container.running]

    def kept(self, mine: Sequence[ContainerRow] | None = None) -> list[ContainerRow]:
        """The stopped containers of earlier versions, `<name>.…`, the last that ran first.

        Args:
            mine: the service's own containers, where they are known already.
        """
        mine = self.own(self.engine.containers()) if mine is None else mine
        found = [
            container
            for container in mine
            if container.name.startswith(f"{self.name}.")
            and container.name not in self.temporary
            and not container.running
        ]
        places = order_of_running(mine)
        # Those of before switches were counted have no place; there the engine's clock has to do.
        clocked = [one.id for one in found if not places.get(one.id)]
        finished = {key: details.finished for key in clocked if (details := self.engine.container(key))}
        return sorted(found, key=lambda one: (places.get(one.id, 0.0), finished.get(one.id, 0.0)), reverse=True)

    def last_number(self) -> int:
        """The number of the last switch whose containers are here; 0 without one."""
        tickets = map(ticket.read, self.own(self.engine.containers()))
        return max((found.number for found in tickets if found), default=0)


def act(c: Context, engine: Engine, command: Sequence[str], failed: str) -> Result:
    """See `Service.do`."""
    with signals.held():
        return run(c, command, failed, engine.environment, Show.STEP)


def order_of_running(containers: Sequence[ContainerRow]) -> dict[str, float]:
    """The place of each container in the order in which they ran, by the numbers of the switches; 0 where unknown.

    One made by switch 3 has place 3, and what switch 4 replaced has 3.5: it may have been started by hand.
    """
    places: dict[str, float] = {}
    for one in containers:
        if found := ticket.read(one):
            replaced = {held.id: found.number - 0.5 for held in found.old if found.number}
            for key, place in {one.id[:12]: float(found.number), **replaced}.items():
                places[key] = max(place, places.get(key, 0.0))
    return {one.id: places.get(one.id[:12], 0.0) for one in containers}
