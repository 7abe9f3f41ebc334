"""The rows of `start` when the wanted version runs already, with few versions on the engine and with many."""

from collections.abc import Iterator
from pathlib import Path

from sites import Site

from tasks.settings.model import ROOT

from .measuring import Row, interleaved, side
from .servers import IMAGE, server
from .versions import multiply

FEW, MANY = 3, 1000
NAMES = ("start", f"start with {MANY} versions")
SCRIPT = Path(__file__).parent / "replaced/start_docker.sh"
RUNS = 11


def rows(names: set[str]) -> Iterator[Row]:
    """Measure what was asked for of `NAMES`. The second one's goal is the first one's ratio, so it needs both."""
    if not names & set(NAMES):
        return
    with server() as site:
        site.inv("frame")
        multiply(site.engine, IMAGE, "0.2.1", FEW)
        running = f"0.2.{FEW}"
        site.inv("start", "--tag", running)
        few = measured(site, running, NAMES[0], FEW, goal=4)
        yield few
        if NAMES[1] in names:
            multiply(site.engine, IMAGE, running, MANY - FEW + 1)
            yield measured(site, running, NAMES[1], MANY, goal=few.ratio)


def measured(site: Site, running: str, name: str, count: int, goal: float) -> Row:
    """One row: both sides are told the version that runs, the script at its menu and `inv start` by its flag."""
    menu = site.docker("images", "--filter", f"label=org.label-schema.name={IMAGE}", "--format", "{{.Tag}}").split()
    assert len(menu) == count, f"{len(menu)} versions instead of {count}"
    answer = f"{menu.index(running) + 1}\n"
    old = side(["bash", str(SCRIPT)], "is already running", site.folder, site.environment, answer)
    inv = [str(ROOT / "inv"), "-f", str(site.file), "start", "--tag", running]
    new = side(inv, "is already running", site.folder, site.environment)
    what = f"{count} versions, the wanted one runs"
    return Row(name, f"start_docker.sh; {what}", "inv start, likewise", *interleaved(old, new, RUNS), goal=goal)
