"""The stamp: what the Dockerfiles are told, and the labels that an image gets whatever its Dockerfile says."""

import json
import shlex
from collections.abc import Mapping

from ..engine import label
from ..settings.model import Settings
from .below import Below
from .release import Release
from .version import Version


def build_args(settings: Settings, version: Version) -> dict[str, str]:
    """What the project sets of a Dockerfile's `ARG`s; the first ten are those of the former `build_docker.sh`."""
    frame, release = version.frame, version.release
    return {
        "REPOSITORY": frame.image,
        "TAG": version.tag,
        "DATE": release.date,
        "VERSION": release.version,
        "URL": release.url,
        "COMMIT": release.commit,
        "BRANCH": release.branch,
        "VENDOR": settings.vendor,
        "PROJECT": frame.image.rpartition("/")[2],
        **({"PORT": str(frame.port)} if frame.port else {}),
        "BASE": f"{settings.base.image}:latest",
        "MAINTAINER": settings.maintainer,
        "HOMEPAGE": settings.url,
        "DESCRIPTION": settings.description,
        "COMMAND": recommended(version),
    }


def frame_labels(settings: Settings, version: Version, base: Below | None, inputs: Mapping[str, str]) -> dict[str, str]:
    """The labels of a frame: the OCI set, and this project's own.

    Args:
        base: what it stands on, None where that is not the base.
        inputs: see `inputs.frame_inputs`.
    """
    frame, release = version.frame, version.release
    return {
        label.NAME: frame.image,  # children inherit labels: whoever builds on a frame must not look like its parent
        label.CREATED: release.date,
        label.REVISION: release.revision,
        label.VERSION: version.tag,
        label.OCI + "source": release.url,
        label.BRANCH: release.branch,
        label.OCI + "title": frame.image.rpartition("/")[2],
        label.OCI + "description": settings.description,
        label.OCI + "vendor": settings.vendor,
        label.OCI + "url": settings.url,
        label.OCI + "authors": settings.maintainer,
        **(standing_labels(base) if base else {}),
        label.TREE: release.tree,
        label.DIRTY: str(release.dirty).lower(),
        **({label.PORT: str(frame.port)} if frame.port else {}),
        label.INPUTS: json.dumps(inputs, sort_keys=True),
    }


def standing_labels(base: Below) -> dict[str, str]:
    """What is true only of a frame that stands on the base."""
    return {
        label.OCI + "base.name": base.reference,
        label.OCI + "base.digest": base.digest,
        label.BASE: base.id,
        label.VENDOR: base.pins,
    }


def recommended(version: Version) -> str:
    """The recommended command of the settings, as it stands on a label."""
    return shlex.join(version.frame.recommended_command(version.tag))


def base_args(settings: Settings, release: Release | None) -> dict[str, str]:
    """What the project sets of the base's `ARG`s; without the release's where its Dockerfile declares none of them."""
    image = settings.base.image
    args = {
        "PARENT": settings.base.parent,
        "REPOSITORY": image,
        "VENDOR": settings.vendor,
        "PROJECT": image.rpartition("/")[2],
        "MAINTAINER": settings.maintainer,
        "HOMEPAGE": settings.url,
        "DESCRIPTION": settings.description,
    }
    if release:
        args |= {
            "TAG": release.tag,
            "DATE": release.date,
            "VERSION": release.version,
            "URL": release.url,
            "COMMIT": release.commit,
            "BRANCH": release.branch,
        }
    return args


def base_labels(
    settings: Settings, parent: Below, pins: Mapping[str, str], inputs: Mapping[str, str]
) -> dict[str, str]:
    """The labels of the base. `inputs`: see `inputs.base_inputs`."""
    return {
        label.NAME: settings.base.image,
        label.OCI + "title": settings.base.image.rpartition("/")[2],
        label.OCI + "vendor": settings.vendor,
        label.OCI + "base.name": parent.reference,
        label.OCI + "base.digest": parent.digest,
        label.VENDOR: json.dumps(pins, sort_keys=True),
        label.INPUTS: json.dumps(inputs, sort_keys=True),
    }
