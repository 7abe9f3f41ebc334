"""The tasks that build, describe and run the layers of CauchyCV. What `inv --list` shows."""

from pathlib import Path

__path__ = [str(Path(__file__).with_suffix(""))]  # tasks.py is also the package over tasks/

from invoke import Collection

from tasks import base, bench, demo, engine, frame, labels, start, testing, vendor
from tasks.shared.shell import Runner

ns = Collection(
    vendor.fetch_vendor,
    base.base,
    frame.frame,
    labels.labels,
    start.start,
    start.stop,
    start.rollback,
    engine.engine,
    demo.demo,
    testing.test,
    bench.bench,
)
ns.configure({"runners": {"local": Runner}})
