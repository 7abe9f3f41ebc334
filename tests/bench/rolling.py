"""The rows of a rollout: for how long each node's port is silent, and how many requests are refused meanwhile."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from clients import Answer, refused, unanswered
from sites import Site
from swarms import Swarm
from switches import carry, eventually
from versions import SERVE, make_all

from tasks.engine import swarm as asked

from .measuring import Row, interleaved

NAMES = (
    "silence of a node in a rollout",
    "silence of a node against docker stop and start",
    "requests refused by a node in a rollout",
    "rollout against docker service update",
)
TAGS = ("1.0", "2.0")
SERVICE = "tests_service_frame"
UPGRADES = 4  # of three nodes each
OPTIONS = ("--network", "host", "--init", "--restart", "always")
Seen = list[list[Answer]]  # what the client of each node saw


def rows(names: set[str]) -> Iterator[Row]:
    """Measure what was asked for of `NAMES`: they need the same rollouts."""
    if not names & set(NAMES):
        return
    with Swarm() as swarm, TemporaryDirectory(prefix="inv-b-") as folder:
        site = Site(swarm.manager, swarm.manager.busybox(), Path(folder))
        make_all(site, {tag: {"options": OPTIONS} for tag in TAGS})
        for engine in swarm.engines[1:]:
            for tag in TAGS:
                carry(swarm.manager, engine, f"tests/visdom:{tag}")
        site.set(timeout=30, settle=0.5)
        site.inv("rollout", "--tag", TAGS[0])
        team = Team(site, swarm)
        before, after = interleaved(team.bare, team.rolled_out, UPGRADES, warm_up=False)
        bare, new = (tuple(unanswered(one) for seen in side for one in seen) for side in team.both)
        lost, missed = (tuple(fmean(len(refused(one)) for one in seen) for seen in side) for side in team.both)
        under, what = "docker service update, one client a node", "inv rollout, likewise"
        found = (
            Row(NAMES[0], under, what, bare, new, goal=1.25),
            Row(NAMES[1], "docker stop and docker start on each node", what, tuple(team.by_hand()), new, goal=1.5),
            Row(NAMES[2], under, what, lost, missed, goal=1.25, unit=" requests"),
            Row(NAMES[3], "until each of three nodes runs it", "until it says so", before, after, goal=1.25),
        )
        yield from (row for row in found if row.name in names)


class Team:
    """A service on three nodes, and what clients saw of its updates: by docker alone, and by `inv rollout`."""

    def __init__(self, site: Site, swarm: Swarm) -> None:
        self.site, self.swarm = site, swarm
        self.of_bare: list[Seen] = []
        self.of_inv: list[Seen] = []

    @property
    def both(self) -> tuple[list[Seen], list[Seen]]:
        return self.of_bare, self.of_inv

    def watched(self, act: Callable[[], object]) -> tuple[Seen, float]:
        """What the clients see while `act` brings a version to each node, and how many seconds that takes."""
        clients = self.swarm.clients(self.site.port)
        begun = time.monotonic()
        act()
        seconds = time.monotonic() - begun
        return [client.end() for client in clients], seconds

    def bare(self) -> float:
        """`docker service update` to 2.0, in seconds."""
        seen, seconds = self.watched(lambda: self.update(TAGS[1]))
        self.of_bare.append(seen)
        eventually(self.settled, 60)  # else the rollout after it is told that one is under way
        return seconds

    def rolled_out(self) -> float:
        """`inv rollout` back to 1.0, in seconds."""
        seen, seconds = self.watched(lambda: self.site.inv("rollout", "--tag", TAGS[0]))
        self.of_inv.append(seen)
        return seconds

    def update(self, tag: str) -> None:
        """What somebody would type; its exit code does not say when each node runs it."""
        image = self.site.docker("image", "inspect", "--format", "{{.Id}}", f"tests/visdom:{tag}")
        self.site.docker("service", "update", "--quiet", "--no-resolve-image", "--image", image, SERVICE)
        eventually(lambda: self.everywhere(image), 60)

    def settled(self) -> bool:
        found = asked.service(self.site.engine.api, SERVICE)
        return found is not None and found.update == "completed"

    def everywhere(self, image: str) -> bool:
        found = [task for task in asked.tasks(self.site.engine.api, SERVICE) if task.wanted == "running"]
        return [task.state for task in found if task.version.image == image] == 3 * ["running"]

    def by_hand(self) -> list[float]:
        """The silence of each node by `docker stop` of a container and `docker start` of another one, in seconds."""
        self.site.inv("rollout", "--remove", "--yes")
        eventually(lambda: not any(engine.request("GET", "/containers/json") for engine in self.swarm.engines), 60)
        script = ["sh", "-c", SERVE.format(port=self.site.port)]
        for engine in self.swarm.engines:
            for tag in TAGS:
                engine.container(tag, f"tests/visdom:{tag}", script, start=tag == TAGS[0])
        found: list[float] = []
        for turn in range(UPGRADES):
            stopped, started = TAGS if turn % 2 == 0 else TAGS[::-1]
            seen, _ = self.watched(lambda: self.swap(stopped, started))  # noqa: B023
            found += map(unanswered, seen)
        return found

    def swap(self, stopped: str, started: str) -> None:
        for engine in self.swarm.engines:
            engine.docker("stop", stopped)
            engine.docker("start", started)
        time.sleep(1)  # the last one's first answers
