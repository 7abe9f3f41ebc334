"""The tasks that build, describe and run the layers of CauchyCV. What `inv --list` shows."""

from pathlib import Path

__path__ = [str(Path(__file__).with_suffix(""))]  # tasks.py is also the package over tasks/

from invoke import Collection

from tasks import (
    base,
    bundle,
    completion,
    demo,
    dev,
    doctor,
    fetch_vendor,
    frame,
    history,
    labels,
    logs,
    machine,
    prune,
    registry,
    rollout,
    ship,
    start,
    status,
    testing,
    weights,
)
from tasks.host.shell import Runner
from tasks.program.merging import merge_alike

ns = Collection(
    fetch_vendor.fetch_vendor,
    base.base,
    frame.frame,
    labels.labels,
    history.images,
    history.changes,
    history.history,
    start.start,
    start.stop,
    start.rollback,
    ship.ship,
    bundle.bundle,
    bundle.unbundle,
    registry.push,
    registry.pull,
    rollout.rollout,
    status.status,
    logs.logs,
    logs.shell,
    prune.prune,
    dev.dev,
    weights.weights,
    machine.engine,
    doctor.doctor,
    completion.completion,
    demo.demo,
    testing.test,
    testing.bench,
)
ns.configure({"runners": {"local": Runner}})
merge_alike()
