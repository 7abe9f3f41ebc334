"""A server as the replaced script knows it: an engine of its own, and the names that stand in the script."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines import PrivateEngine
from sites import Site

IMAGE = "colorai/cauchycv_visdom"  # the script knows only this one
SERVICE = "cauchy_service"


@contextmanager
def server() -> Iterator[Site]:
    """A site with these names, for the time of the block; nothing is built yet."""
    with PrivateEngine() as engine, tempfile.TemporaryDirectory(prefix="inv-b-") as folder:
        site = Site(engine, engine.busybox(), Path(folder))
        site.frame.update(image=IMAGE, service=SERVICE)
        site.save()
        yield site
