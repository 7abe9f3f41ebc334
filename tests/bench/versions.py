"""Many versions of a frame on an engine, in seconds: copies of one that was built, each with labels of its own."""

import hashlib
import json
from datetime import datetime, timedelta

from engines import PrivateEngine
from images import Configuration, like, load


def multiply(engine: PrivateEngine, repository: str, tag: str, count: int) -> None:
    """Load copies of `repository:tag` until there are `count` versions, numbered on from it.

    They share its layers and differ in tag, commit and date (an hour each), and so in the image's id.
    """
    pattern = json.dumps(like(engine, f"{repository}:{tag}"))
    series, _, number = tag.rpartition(".")
    others = (f"{series}.{next_number}" for next_number in range(int(number) + 1, int(number) + count))
    load(engine, {f"{repository}:{other}": version(pattern, repository, tag, other) for other in others})


def version(pattern: str, repository: str, tag: str, other: str) -> Configuration:
    """An image's configuration as it would be had another commit been built."""
    changed: Configuration = json.loads(pattern.replace(f"{repository}:{tag}", f"{repository}:{other}"))
    hours = int(other.rpartition(".")[2]) - int(tag.rpartition(".")[2])
    built = datetime.fromisoformat(changed["created"][:19]) + timedelta(hours=hours)
    changed["created"] = built.isoformat() + "Z"
    labels = changed["config"]["Labels"]
    commit = hashlib.sha1(other.encode()).hexdigest()
    labels["org.opencontainers.image.version"] = other
    labels["org.opencontainers.image.revision"] = commit
    labels["org.label-schema.vcs-ref"] = commit[:7]
    return changed
