"""The rows of shipping: what goes to other engines after a small change, and how long it takes."""

import random
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from engines import PrivateEngine
from images import grow, like
from invoke import Context
from relays import Relay
from sites import Site
from switches import carry

from tasks.host import debian
from tasks.settings.model import ROOT

from .measuring import Row, Side, interleaved, timed
from .starting import IMAGE

SHIPPED = (
    "bytes shipped against the changed layer",
    "bytes shipped against docker save",
    "ship against docker save",
)
SEVERAL = "ship to three hosts against docker save"
BUNDLED = ("bytes bundled against docker save", "bundle and unbundle against docker save")
NAMES = (*SHIPPED, SEVERAL, *BUNDLED)
CHANGED = 2_000_000  # bytes of the layer that the target lacks
RUNS = 5
BEFORE, TAG = "0.9", "1.0"
REFERENCE = f"{IMAGE}:{TAG}"


def rows(names: set[str]) -> Iterator[Row]:
    """Measure what was asked for of `NAMES`: several need the same runs."""
    if not names & set(NAMES):
        return
    archive = debian.root_file_system(Context())
    with ExitStack() as stack:
        here, *there = [stack.enter_context(PrivateEngine()) for _ in range(4)]
        here.docker("import", str(archive), "debian:12")
        for engine in there:
            carry(here, engine, "debian:12")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inv-b-")))
        site = Site(here, "debian:12", folder)
        site.frame.update(image=IMAGE)
        site.save()
        for tag in (BEFORE, TAG):
            labels = {"org.label-schema.name": IMAGE, "org.opencontainers.image.version": tag}
            files = {"srv/changed": random.Random(0).randbytes(CHANGED)} if tag == TAG else {}
            grow(here, f"{IMAGE}:{tag}", like(here, "debian:12", Labels=labels), files)
        team = Team(site, there)
        what = f"{archive.stat().st_size / 1e6 + CHANGED / 1e6:.0f} MB"
        if names & set(SHIPPED):
            yield from (row for row in shipped(team, what) if row.name in names)
        if SEVERAL in names:
            old, new = interleaved(team.brought("pipes", team.pipe, 3), team.brought("ships", team.ship, 3), RUNS)
            yield Row(SEVERAL, "docker save | docker load, three times", f"inv ship of {what}", old, new, 1)
        if names & set(BUNDLED):
            yield from (row for row in bundled(team, what) if row.name in names)


def shipped(team: "Team", what: str) -> Iterator[Row]:
    old, new = interleaved(team.brought("pipe", team.pipe, 1), team.brought("ship", team.ship, 1), RUNS)
    sent = {name: tuple(counts[1:]) for name, counts in team.bytes.items()}  # the first did not count
    allowed = (CHANGED * 1.05 + 65536,) * RUNS
    what, under = f"inv ship of {what}", "docker save | docker load"
    yield Row(SHIPPED[0], "1.05 times the changed layer, and 64 KiB", what, allowed, sent["ship"], 1, " bytes")
    yield Row(SHIPPED[1], under, what, sent["pipe"], sent["ship"], 0.05, " bytes")
    yield Row(SHIPPED[2], under, f"{what}, looked at afterwards", old, new, 1.25)


def bundled(team: "Team", what: str) -> Iterator[Row]:
    old, new = interleaved(team.by_file, team.by_bundle, RUNS)
    sizes = {name: tuple(counts[1:]) for name, counts in team.bytes.items()}
    what, under = f"inv bundle --since of {what}", "docker save >, docker load <"
    yield Row(BUNDLED[0], under, what, sizes["file"], sizes["bundle"], 0.05, " bytes")
    yield Row(BUNDLED[1], under, f"{what}, inv unbundle", old, new, 1.25)


class Team:
    """An engine with two versions, and three with all but the last layer; what goes to the first of them is counted."""

    def __init__(self, site: Site, there: list[PrivateEngine]) -> None:
        self.site, self.there = site, there
        self.inv = [str(ROOT / "inv"), "-f", str(site.file)]
        self.bytes: dict[str, list[float]] = {}

    def forget(self) -> None:
        for engine in self.there:
            engine.docker("image", "rm", REFERENCE, check=False)

    def brought(self, name: str, bring: Callable[[list[str]], None], hosts: int) -> Side:
        """A side that brings the version to so many hosts; the bytes are kept under its name."""

        def once() -> float:
            self.forget()
            with Relay(self.there[0]) as relay:
                begun = time.perf_counter()
                bring([relay.host, *(engine.host for engine in self.there[1:])][:hosts])
                seconds = time.perf_counter() - begun
                self.bytes.setdefault(name, []).append(float(relay.sent))
            return seconds

        return once

    def pipe(self, hosts: list[str]) -> None:
        """`docker save | docker load`, to all at a time."""
        shell(self, " & ".join(f"docker save {REFERENCE} | docker --host {host} load" for host in hosts) + " & wait")

    def ship(self, hosts: list[str]) -> None:
        says = f"{hosts[-1]} has {REFERENCE}: "
        timed([*self.inv, "ship", *hosts, "--tag", TAG], says, self.site.folder, self.site.environment)

    def by_file(self) -> float:
        """`docker save` into a file and `docker load` from it, in seconds."""
        return self.carried("file", f"docker save {REFERENCE} >file", "docker --host {host} load <file")

    def by_bundle(self) -> float:
        inv = shlex.join(self.inv)
        write, read = f"{inv} bundle bundle --tag {TAG} --since {BEFORE}", f"{inv} unbundle bundle"
        return self.carried("bundle", write, f"DOCKER_HOST={{host}} {read}")

    def carried(self, file: str, write: str, read: str) -> float:
        self.forget()
        begun = time.perf_counter()
        shell(self, f"{write} && {read.format(host=self.there[0].host)}")
        seconds = time.perf_counter() - begun
        self.bytes.setdefault(file, []).append(float((self.site.folder / file).stat().st_size))
        return seconds


def shell(team: Team, words: str) -> None:
    """Raises CalledProcessError when it fails, RuntimeError when the version did not arrive."""
    site = team.site
    subprocess.run(["sh", "-c", words], cwd=site.folder, env=site.environment, check=True, capture_output=True)
    if not team.there[0].api.image(REFERENCE):
        raise RuntimeError(f"{words} brought no {REFERENCE}.")
