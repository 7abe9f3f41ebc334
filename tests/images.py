"""Images that differ by their configuration alone, made in a moment: no builder runs, and no layer is sent."""

import copy
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from engines import PrivateEngine

Configuration = dict[str, Any]  # as in the OCI image specification: created, architecture, os, config, rootfs


def like(engine: PrivateEngine, reference: str, **config: Any) -> Configuration:
    """The configuration of an image that is there, created now.

    Args:
        config: what is changed in its `config`, such as `Env`, `Labels` and `Healthcheck`.
    """
    details = engine.request("GET", f"/images/{reference}/json")
    return {
        "created": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
        "architecture": details["Architecture"],
        "os": details["Os"],
        "config": {**copy.deepcopy(details["Config"]), **config},
        "rootfs": {"type": "layers", "diff_ids": details["RootFS"]["Layers"]},
    }


def load(engine: PrivateEngine, images: Mapping[str, Configuration]) -> None:
    """Load images, by reference, as from one `docker save`, less the layers: those the engine must have already."""
    entries = []
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for reference, configuration in images.items():
            text = json.dumps(configuration).encode()
            name = f"{hashlib.sha256(text).hexdigest()}.json"
            layers = [f"{layer.partition(':')[2]}.tar" for layer in configuration["rootfs"]["diff_ids"]]
            entries.append({"Config": name, "RepoTags": [reference], "Layers": layers})
            add(tar, name, text)
        add(tar, "manifest.json", json.dumps(entries).encode())
    said = engine.request("POST", "/images/load?quiet=1", archive.getvalue())
    assert "error" not in str(said), said


def grow(engine: PrivateEngine, reference: str, configuration: Configuration, files: Mapping[str, bytes]) -> str:
    """Load an image with one layer of these files above those that its configuration names. Returns its id."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for name, content in files.items():
            add(tar, name, content)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    diff_ids = [*configuration["rootfs"]["diff_ids"], f"sha256:{digest}"]
    text = json.dumps({**configuration, "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
    config = hashlib.sha256(text).hexdigest()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        add(tar, f"{config}.json", text)
        add(tar, f"{digest}.tar", layer.getvalue())
        layers = [f"{one.partition(':')[2]}.tar" for one in diff_ids]
        add(
            tar,
            "manifest.json",
            json.dumps([{"Config": f"{config}.json", "RepoTags": [reference], "Layers": layers}]).encode(),
        )
    said = engine.request("POST", "/images/load?quiet=1", archive.getvalue())
    assert "error" not in str(said), said
    return f"sha256:{config}"


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file to an archive."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
