"""The rows of a switch: for how long the port is silent while one version replaces another."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

from sites import Site
from versions import SERVE, make

from tasks.settings.model import ROOT

from .measuring import Row, interleaved, side
from .servers import IMAGE, SERVICE, server
from .starting import SCRIPT

NAMES = ("silence against docker stop and start", "silence against start_docker.sh", "rollback against docker alone")
UPGRADES, SCRIPTED, ROLLBACKS = 20, 5, 10
ALLOWED, FIXED = 1.5, 0.5  # a rollback may take so many times a bare stop and start, and so many seconds more
EVERY = 0.005  # seconds between two requests of the client
# Seconds that it waits for one. Its kernel would ask again only after a second where connections are held.
PATIENCE = 0.05


def rows(names: set[str]) -> Iterator[Row]:
    """Measure what was asked for of `NAMES`."""
    if not names & set(NAMES):
        return
    with server() as site:
        for tag in ("1.0", "2.0"):
            make(site, tag)
        for tag in ("1.0", "2.0"):
            site.inv("start", "--tag", tag)
        new = Upgrades(site)
        if NAMES[0] in names:
            what = "the same two containers, stopped and started"
            pairs = interleaved(Swaps(site), new, UPGRADES)
            yield Row(NAMES[0], what, f"inv start, {UPGRADES} times back and forth", *pairs, goal=1.1)
        if NAMES[1] in names:
            old = Scripted(site)
            what = "start_docker.sh, its name conflict mended; process 1 ignores SIGTERM, as python does"
            yield Row(NAMES[1], what, "inv start, likewise", *interleaved(old, new, SCRIPTED), goal=1 / 50)
        if NAMES[2] in names:
            what = f"{ALLOWED:g} times docker stop and start, and {FIXED:g} s, to the healthy answer"
            pairs = interleaved(Swaps(site, allowed), Rollbacks(site), ROLLBACKS)
            yield Row(NAMES[2], what, "inv rollback, likewise", *pairs, goal=1.0)


def allowed(site: Site, act: Callable[[], object]) -> float:
    """The seconds that a rollback may take where this bare swap stands for it."""
    return ALLOWED * until_answer(site, act) + FIXED


def until_answer(site: Site, act: Callable[[], object]) -> float:
    """The seconds from the beginning of `act` to the first answer of another version than before it."""
    before, begun = site.answer(), time.monotonic()
    worker = threading.Thread(target=act)
    worker.start()
    while site.answer(PATIENCE) in (before, ""):
        assert time.monotonic() < begun + 30, "nothing else answers"
        time.sleep(EVERY)
    found = time.monotonic() - begun
    worker.join()
    return found


def silence(site: Site, act: Callable[[], object]) -> float:
    """The longest time in seconds between two answers that a client gets that asks every 5 ms, while `act` runs."""
    gaps = [0.0]
    over = threading.Event()
    answered = threading.Event()

    def ask() -> None:
        last = 0.0
        while not over.is_set():
            begun = time.monotonic()
            if site.answer(PATIENCE):
                gaps.append(begun - last if last else 0.0)
                last = begun
                answered.set()
            time.sleep(EVERY)

    client = threading.Thread(target=ask)
    client.start()
    try:
        assert answered.wait(20), "nothing answers before the switch"
        act()
        answered.clear()
        assert answered.wait(20), "nothing answers after the switch"
    finally:
        over.set()
        client.join()
    return max(gaps)


class Upgrades:
    """`inv start` of the version that does not run."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def __call__(self) -> float:
        while not (answer := self.site.answer()):  # the other side has started a version in this moment
            time.sleep(EVERY)
        tag = "1.0" if answer == "2.0" else "2.0"
        inv = [str(ROOT / "inv"), "-f", str(self.site.file), "start", "--tag", tag]
        act = side(inv, f"{tag} runs as", self.site.folder, self.site.environment)
        return silence(self.site, act)


class Rollbacks:
    """`inv rollback`, from the command to the healthy answer."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def __call__(self) -> float:
        while not self.site.answer():
            time.sleep(EVERY)
        inv = [str(ROOT / "inv"), "-f", str(self.site.file), "rollback"]
        return until_answer(self.site, side(inv, "runs as", self.site.folder, self.site.environment))


class Swaps:
    """A bare `docker stop` of the container that runs and `docker start` of the one that ran before; and back.

    `measure` is given the site and the swap.
    """

    def __init__(self, site: Site, measure: Callable[[Site, Callable[[], object]], float] | None = None) -> None:
        self.site = site
        self.measure = measure or silence

    def __call__(self) -> float:
        names = self.site.docker("ps", "--all", "--format", "{{.Names}}").split()
        runs = SERVICE
        other = next(name for name in names if name != runs)  # the first is the newest, which ran last
        found = self.measure(self.site, lambda: self.swap(runs, other))
        self.swap(other, runs)
        return found

    def swap(self, runs: str, other: str) -> None:
        self.site.docker("stop", runs)
        self.site.docker("start", other)


class Scripted:
    """The replaced script, with a line that removes what holds the name; its versions run without an init, as they did.

    `docker stop` waits 10 s for a process 1 that ignores SIGTERM, but it serves on until it is killed:
    the port is silent for far less than the script takes.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.script = site.folder / "start_docker.sh"
        self.script.write_text(SCRIPT.read_text().replace("  docker stop $c\n", "  docker stop $c\n  docker rm $c\n"))
        # In the image, because the script loses quotes. Process 1 has no handler for SIGTERM, as python has none, and
        # the kernel lets such a process 1 ignore it.
        process = json.dumps(
            ["sh", "-c", SERVE.format(port=site.port).replace("exec httpd -f", "httpd") + "; sleep 100000"]
        )
        for tag in ("3.0", "4.0"):
            command = f"docker run -d --name cauchy_service --network host {IMAGE}:{tag}"
            make(site, tag, label=command, extra=f"CMD {process}")

    def __call__(self) -> float:
        self.run("3.0")  # the first only brings a version of the script's own
        found = silence(self.site, lambda: self.run("4.0"))
        self.site.inv("start", "--tag", "1.0")
        return found

    def run(self, tag: str) -> None:
        menu = self.site.docker(
            "images", "--filter", f"label=org.label-schema.name={IMAGE}", "--format", "{{.Tag}}"
        ).split()
        answer = f"{menu.index(tag) + 1}\n"
        done = subprocess.run(
            ["bash", str(self.script)], input=answer, env=self.site.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
