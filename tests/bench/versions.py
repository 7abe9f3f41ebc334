"""Many versions of a frame on an engine, in seconds: copies of one that was built, each with labels of its own."""

import hashlib
import io
import json
import subprocess
import tarfile
from datetime import datetime, timedelta
from typing import Any

from engines import PrivateEngine

DROPPED = ("manifest.json", "repositories", "index.json", "oci-layout")  # each names the one version that was saved


def multiply(engine: PrivateEngine, repository: str, tag: str, count: int) -> None:
    """Load copies of `repository:tag` until there are `count` versions, numbered on from it.

    They share its layers and differ in tag, commit and date (an hour each), and so in the image's id. Loaded as one
    archive, as from `docker save`.
    """
    docker = ["docker", "--host", engine.host]
    saved = subprocess.run([*docker, "save", f"{repository}:{tag}"], check=True, capture_output=True).stdout
    archive = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(saved)) as source, tarfile.open(fileobj=archive, mode="w") as target:
        manifest = json.loads(read(source, "manifest.json"))[0]
        config = read(source, manifest["Config"]).decode()
        for member in source:
            if member.name not in DROPPED:
                target.addfile(member, source.extractfile(member) if member.isfile() else None)
        series, _, number = tag.rpartition(".")
        entries = []
        for next_number in range(int(number) + 1, int(number) + count):
            text = version(config, repository, tag, f"{series}.{next_number}").encode()
            name = f"{hashlib.sha256(text).hexdigest()}.json"
            write(target, name, text)
            entries.append({**manifest, "Config": name, "RepoTags": [f"{repository}:{series}.{next_number}"]})
        write(target, "manifest.json", json.dumps(entries).encode())
    subprocess.run([*docker, "load", "--quiet"], input=archive.getvalue(), check=True, capture_output=True)


def version(config: str, repository: str, tag: str, other: str) -> str:
    """An image's configuration as it would be had another commit been built."""
    changed: dict[str, Any] = json.loads(config.replace(f"{repository}:{tag}", f"{repository}:{other}"))
    hours = int(other.rpartition(".")[2]) - int(tag.rpartition(".")[2])
    built = datetime.fromisoformat(changed["created"][:19]) + timedelta(hours=hours)
    changed["created"] = built.isoformat() + "Z"
    labels = changed["config"]["Labels"]
    commit = hashlib.sha1(other.encode()).hexdigest()
    labels["org.opencontainers.image.version"] = other
    labels["org.opencontainers.image.revision"] = commit
    labels["org.label-schema.vcs-ref"] = commit[:7]
    return json.dumps(changed)


def read(archive: tarfile.TarFile, name: str) -> bytes:
    """A file in an archive."""
    file = archive.extractfile(name)
    assert file
    return file.read()


def write(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file to an archive."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
