"""The rows of clients: what those who ask on a new connection each time see of a switch."""

import time
from collections.abc import Callable, Iterator

from clients import Answer, Clients, another_network, cut_off, refused, silence
from sites import Site
from versions import make_all

from .measuring import Row
from .servers import SERVICE, server

NAMES = ("requests refused in an upgrade", "slowest answer in an upgrade")
UPGRADES = 20
ON_THE_HOST, OUTSIDE = 4, 4  # clients
ALLOWED = 1.2  # seconds besides the silence: a client's kernel asks again after one
Seen = tuple[list[Answer], str]


def rows(names: set[str]) -> Iterator[Row]:
    """Measure what was asked for of `NAMES`: the two need the same switches."""
    if not names & set(NAMES):
        return
    with server() as site:
        make_all(site, {"1.0": {}, "2.0": {}})
        for tag in ("1.0", "2.0"):
            site.inv("start", "--tag", tag)
        bare, new = zip(*((swapped(site), upgraded(site)) for _ in range(UPGRADES)), strict=True)
        under = f"under {ON_THE_HOST} clients on the host and {OUTSIDE} in another network"
        old = f"docker stop and docker start {under}"
        counts = [[float(len(refused(answers))) for answers, _ in side] for side in (bare, new)]
        cut = [sum(len(cut_off(answers)) for answers, _ in side) for side in (bare, new)]
        slowest = [max(one.seconds for answers, _ in side for one in answers if one.said) for side in (bare, new)]
        what = f"inv start; of all, the stopped version cut off {cut[1]} of its own, against {cut[0]}"
        yield Row(NAMES[0], old, what, tuple(counts[0]), tuple(counts[1]), goal=0, unit=" requests")
        allowed = tuple(silence(said) + ALLOWED for _, said in new)
        found = tuple(max(one.seconds for one in answers if one.said) for answers, _ in new)
        what = f"inv start; the slowest of all took {slowest[1]:.3f} s, against {slowest[0]:.3f} with docker alone"
        yield Row(NAMES[1], f"the silence that it tells, and {ALLOWED} s", what, allowed, found, goal=1.0)


def watched(site: Site, act: Callable[[], str]) -> Seen:
    """What clients see while `act` switches, and what that says."""
    with another_network() as (address, inside):
        clients = [Clients(site.port, ON_THE_HOST), Clients(site.port, OUTSIDE, address, inside)]
        said = act()
        return [answer for client in clients for answer in client.end()], said


def upgraded(site: Site) -> Seen:
    """What clients see of `inv start` of the version that does not run."""
    while not (answer := site.answer()):  # the other side has started a version in this moment
        time.sleep(0.01)
    return watched(site, lambda: site.inv("start", "--tag", "1.0" if answer == "2.0" else "2.0").stdout)


def swapped(site: Site) -> Seen:
    """What clients see of a bare `docker stop` and `docker start` of the other container; it is undone afterwards."""
    runs = SERVICE
    names = site.docker("ps", "--all", "--format", "{{.Names}}").split()
    other = next(name for name in names if name != runs)  # the first is the newest, which ran last

    def swap(stopped: str, started: str) -> str:
        return site.docker("stop", stopped) + site.docker("start", started)

    seen = watched(site, lambda: swap(runs, other))
    swap(other, runs)
    return seen
