"""The labels: their names, what goes into them, and what they say of an image."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from ..engine import label
from ..settings.model import Frame, Settings
from .git import Release


def build_args(settings: Settings, frame: Frame, release: Release, tag: str) -> dict[str, str]:
    """What the project sets of a Dockerfile's `ARG`s; the first ten are those of the former `build_docker.sh`."""
    return {
        "REPOSITORY": frame.image,
        "TAG": tag,
        "DATE": release.date,
        "VERSION": release.version,
        "URL": release.url,
        "COMMIT": release.commit,
        "BRANCH": release.branch,
        "VENDOR": settings.vendor,
        "PROJECT": frame.image.rpartition("/")[2],
        "PORT": str(frame.port),
        "BASE": f"{settings.base.image}:latest",
        "MAINTAINER": settings.maintainer,
        "HOMEPAGE": settings.url,
        "DESCRIPTION": settings.description,
        "COMMAND": shlex.join(frame.recommended_command(tag)),
    }


def frame_labels(
    settings: Settings, frame: Frame, release: Release, tag: str, base: Mapping[str, str], inputs: Mapping[str, str]
) -> dict[str, str]:
    """The labels that a frame gets whatever its Dockerfile says: the OCI set, and this project's own.

    Args:
        base: `name` (reference), `id` and `digest` of the base it is built on, and `vendor` (its pins).
        inputs: what the image is made of, by hash; see `frame_inputs`.
    """
    return {
        label.NAME: frame.image,  # children inherit labels: whoever builds on a frame must not look like its parent
        label.CREATED: release.date,
        label.REVISION: release.revision,
        label.VERSION: tag,
        label.OCI + "source": release.url,
        label.BRANCH: release.branch,
        label.OCI + "title": frame.image.rpartition("/")[2],
        label.OCI + "description": settings.description,
        label.OCI + "vendor": settings.vendor,
        label.OCI + "url": settings.url,
        label.OCI + "base.name": base["name"],
        label.OCI + "base.digest": base["digest"],
        label.TREE: release.tree,
        label.DIRTY: str(release.dirty).lower(),
        label.BASE: base["id"],
        label.VENDOR: base["vendor"],
        label.PORT: str(frame.port),
        label.INPUTS: json.dumps(inputs, sort_keys=True),
    }


def base_labels(
    settings: Settings, parent: Mapping[str, str], pins: Mapping[str, str], inputs: Mapping[str, str]
) -> dict[str, str]:
    """The labels of the base. `parent`: `name` and `digest` of the first layer."""
    return {
        label.NAME: settings.base.image,
        label.OCI + "title": settings.base.image.rpartition("/")[2],
        label.OCI + "vendor": settings.vendor,
        label.OCI + "base.name": parent["name"],
        label.OCI + "base.digest": parent["digest"],
        label.VENDOR: json.dumps(pins, sort_keys=True),
        label.INPUTS: json.dumps(inputs, sort_keys=True),
    }


def base_inputs(settings: Settings, dockerfile: Path, pins: Mapping[str, str], parent: str) -> dict[str, str]:
    """What the base is made of, each by hash: when one changes, the base is built again."""
    return {
        "Dockerfile": digest(dockerfile.read_bytes().hex()),
        "vendored libraries": digest(pins),
        "parent": parent,
        "build options": digest(settings.base.build_options),
    }


def frame_inputs(
    settings: Settings, frame: Frame, release: Release, dockerfile: Path, args: Mapping[str, str], base: str
) -> dict[str, str]:
    """What a frame is made of, each by hash. What changes between two builds of one commit (the date …) is left out."""
    passing = {"DATE", "VERSION", "URL", "BRANCH"} - set(frame.build_args)
    return {
        "content": release.tree,
        "Dockerfile": digest(dockerfile.read_bytes().hex()),
        "base": base,
        "build arguments": digest({key: value for key, value in args.items() if key not in passing}),
        "build options": digest(frame.build_options),
        "settings": digest([settings.vendor, settings.url, settings.description, frame.port]),
    }


def digest(value: object) -> str:
    """A short hash of anything that JSON can hold."""
    import hashlib

    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def changed(labels: Mapping[str, str], inputs: Mapping[str, str]) -> list[str]:
    """Which inputs differ from those that an image's label names; all of them when the label says nothing readable."""
    try:
        former = json.loads(labels.get(label.INPUTS, ""))
    except ValueError:
        former = None
    if not isinstance(former, dict):
        return list(inputs)
    return [name for name, value in inputs.items() if former.get(name) != value]
