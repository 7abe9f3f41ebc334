"""The labels: their names, what goes into them, and what they say of an image."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from ..settings.model import Frame, Settings
from .git import Release

SCHEMA = "org.label-schema."
OCI = "org.opencontainers.image."
OWN = "com.colorai.stack."

NAME = SCHEMA + "name"
COMMAND = SCHEMA + "docker.cmd"
SHORT_COMMIT = SCHEMA + "vcs-ref"
BRANCH = SCHEMA + "vcs-branch"
VERSION = SCHEMA + "version"
DATE = SCHEMA + "build-date"
REVISION = OCI + "revision"
INPUTS = OWN + "inputs"
PORT = OWN + "port"


def recommended_command(frame: Frame, tag: str) -> list[str]:
    """The `docker run …` that the settings recommend for a version."""
    image = f"{frame.image}:{tag}"
    return ["docker", "run", "--detach", "--name", frame.service, *frame.run_options, image, *frame.command]


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
        "COMMAND": shlex.join(recommended_command(frame, tag)),
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
        NAME: frame.image,  # children inherit labels: whoever builds on a frame must not look like its parent
        OCI + "created": release.date,
        REVISION: release.revision,
        OCI + "version": tag,
        OCI + "source": release.url,
        OCI + "ref.name": release.branch,
        OCI + "title": frame.image.rpartition("/")[2],
        OCI + "description": settings.description,
        OCI + "vendor": settings.vendor,
        OCI + "url": settings.url,
        OCI + "base.name": base["name"],
        OCI + "base.digest": base["digest"],
        OWN + "tree": release.tree,
        OWN + "dirty": str(release.dirty).lower(),
        OWN + "base": base["id"],
        OWN + "vendor": base["vendor"],
        PORT: str(frame.port),
        INPUTS: json.dumps(inputs, sort_keys=True),
    }


def base_labels(
    settings: Settings, parent: Mapping[str, str], pins: Mapping[str, str], inputs: Mapping[str, str]
) -> dict[str, str]:
    """The labels of the base. `parent`: `name` and `digest` of the first layer."""
    return {
        NAME: settings.base.image,
        OCI + "title": settings.base.image.rpartition("/")[2],
        OCI + "vendor": settings.vendor,
        OCI + "base.name": parent["name"],
        OCI + "base.digest": parent["digest"],
        OWN + "vendor": json.dumps(pins, sort_keys=True),
        INPUTS: json.dumps(inputs, sort_keys=True),
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
        former = json.loads(labels.get(INPUTS, ""))
    except ValueError:
        former = None
    if not isinstance(former, dict):
        return list(inputs)
    return [name for name, value in inputs.items() if former.get(name) != value]


def names_commit(labels: Mapping[str, str]) -> str:
    """The commit that an image says it was made from, in full or short; "" if it does not say."""
    return labels.get(REVISION) or labels.get(SHORT_COMMIT) or ""
