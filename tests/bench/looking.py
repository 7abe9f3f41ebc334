"""The rows of looking: with 1,000 images and 200 containers on the engine, against 10 and one."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engines import PrivateEngine
from sites import Site

from tasks.settings.model import ROOT

from .measuring import Row, Side, interleaved, side
from .versions import multiply

FEW, MANY, CONTAINERS = 10, 1000, 200
# What is typed; the last is what a shell asks at a key press.
TASKS = {"status": ["status"], "images": ["images"], "completion": ["--complete", "--", "start", "--tag", "0.2.1"]}
NAMES = tuple(f"{task} with {MANY} versions" for task in TASKS)
RUNS = 7


def rows(names: set[str]) -> Iterator[Row]:
    """Measure what was asked for of `NAMES`."""
    if not names & set(NAMES):
        return
    with running(FEW, 0) as few, running(MANY, CONTAINERS) as many:
        for (task, words), name in zip(TASKS.items(), NAMES, strict=True):
            if name in names:
                sides = looking(few, words), looking(many, words)
                what = f"inv {task}; {FEW} versions"
                more = f"{MANY} versions, {CONTAINERS} containers"
                yield Row(name, what, more, *interleaved(*sides, RUNS), goal=3)


@contextmanager
def running(count: int, containers: int) -> Iterator[Site]:
    """A site with so many versions, of which one runs, and so many containers of it beside the service."""
    with PrivateEngine() as engine, tempfile.TemporaryDirectory(prefix="inv-b-") as folder:
        site = Site(engine, engine.busybox(), Path(folder))
        site.inv("frame", "start")
        multiply(engine, "tests/visdom", "0.2.1", count)
        for number in range(containers):
            body = {"Image": "tests/visdom:0.2.1", "Cmd": ["sleep", "1000"]}
            engine.request("POST", f"/containers/create?name=train-user{number}", body)
        yield site


def looking(site: Site, words: Sequence[str]) -> Side:
    inv = [str(ROOT / "inv"), "-f", str(site.file), *words]
    return side(inv, "0.2.1", site.folder, site.environment)
