"""The rows of shipping: what goes to another engine after a small change, and how long it takes."""

import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from engines import PrivateEngine
from images import grow, like
from invoke import Context
from relays import Relay
from sites import Site
from switches import carry

from tasks.host import debian
from tasks.settings.model import ROOT

from .measuring import Row, interleaved, timed
from .starting import IMAGE

NAMES = ("bytes shipped against the changed layer", "bytes shipped against docker save", "ship against docker save")
CHANGED = 2_000_000  # bytes of the layer that the target lacks
RUNS = 5
TAG = "1.0"


def rows(names: set[str]) -> Iterator[Row]:
    """Measure what was asked for of `NAMES`: they need the same runs."""
    if not names & set(NAMES):
        return
    archive = debian.root_file_system(Context())
    with PrivateEngine() as here, PrivateEngine() as there, tempfile.TemporaryDirectory(prefix="inv-b-") as folder:
        here.docker("import", str(archive), "debian:12")
        carry(here, there, "debian:12")
        site = Site(here, "debian:12", Path(folder))
        site.frame.update(image=IMAGE)
        site.save()
        labels = {"org.label-schema.name": IMAGE, "org.opencontainers.image.version": TAG}
        files = {"srv/changed": random.Random(0).randbytes(CHANGED)}
        grow(here, f"{IMAGE}:{TAG}", like(here, "debian:12", Labels=labels), files)
        team = Team(site, there)
        old, new = interleaved(team.piped, team.shipped, RUNS)
        sent = {name: tuple(counts[1:]) for name, counts in team.sent.items()}  # the first did not count
        allowed = (CHANGED * 1.05 + 65536,) * RUNS
        what = f"inv ship of {archive.stat().st_size / 1e6 + CHANGED / 1e6:.0f} MB"
        under = "docker save | docker load"
        found = (
            Row(NAMES[0], "1.05 times the changed layer, and 64 KiB", what, allowed, sent["ship"], 1, " bytes"),
            Row(NAMES[1], under, what, sent["pipe"], sent["ship"], 0.05, " bytes"),
            Row(NAMES[2], under, f"{what}, looked at afterwards", old, new, 1.25),
        )
        yield from (row for row in found if row.name in names)


class Team:
    """An engine with a version and one with all but its last layer; what goes there is counted."""

    def __init__(self, site: Site, there: PrivateEngine) -> None:
        self.site, self.there = site, there
        self.sent: dict[str, list[float]] = {"pipe": [], "ship": []}

    def forget(self) -> None:
        self.there.docker("image", "rm", f"{IMAGE}:{TAG}", check=False)

    def piped(self) -> float:
        """`docker save | docker load`, in seconds."""
        self.forget()
        with Relay(self.there) as relay:
            begun = time.perf_counter()
            words = f"docker save {IMAGE}:{TAG} | docker --host {relay.host} load"
            subprocess.run(["sh", "-c", words], env=self.site.environment, check=True, capture_output=True)
            seconds = time.perf_counter() - begun
            self.sent["pipe"].append(float(relay.sent))
        return seconds

    def shipped(self) -> float:
        """`inv ship`, in seconds."""
        self.forget()
        with Relay(self.there) as relay:
            inv = [str(ROOT / "inv"), "-f", str(self.site.file), "ship", relay.host, "--tag", TAG]
            seconds = timed(inv, f"has {IMAGE}:{TAG}: ", self.site.folder, self.site.environment)
            self.sent["ship"].append(float(relay.sent))
        return seconds
