"""The tasks that build, describe and run the layers of CauchyCV. What `inv --list` shows."""

from pathlib import Path

__path__ = [str(Path(__file__).with_suffix(""))]  # tasks.py is also the package over tasks/

from invoke import Collection

from tasks import base, bench, demo, frame, labels, machine, start, testing, vendor
from tasks.host.shell import Runner

ns = Collection(
    vendor.fetch_vendor,
    base.base,
    frame.frame,
    labels.labels,
    start.start,
    start.stop,
    start.rollback,
    machine.engine,
    demo.demo,
    testing.test,
    bench.bench,
)
ns.configure({"runners": {"local": Runner}})
