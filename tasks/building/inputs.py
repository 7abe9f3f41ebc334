"""What an image is made of, by hash, on its label; and whether that calls for a build."""

import json
from collections.abc import Mapping
from pathlib import Path

from invoke import Exit

from ..engine import label
from ..engine.records import Image
from ..host.text import brief
from ..settings.model import Settings
from .ingredients import RELEASE, Ingredients
from .version import Version


def base_inputs(
    settings: Settings, file: Path, held: Ingredients, parents: Mapping[str, str], args: Mapping[str, str]
) -> dict[str, str]:
    """What the base is made of, each by hash. What the release says is not: the base outlives many of them.

    Args:
        held: what its Dockerfile copies.
        parents: the ids of the images that it names, the first layer first.
        args: its build arguments.
    """
    parent, *others = parents.values()
    passing = {"PARENT", *RELEASE} - settings.base.build_args.keys()
    found = {
        "Dockerfile": digest(file.read_bytes().hex()),
        "vendored libraries": digest(held.libraries),
        "parent": parent,
        "build options": digest(settings.base.build_options),
    }
    optional = {
        "other images": others,
        "build arguments": {key: value for key, value in args.items() if key not in passing},
        "files": held.files,
        "files of the source": held.of_source,
    }
    return found | {name: digest(value) for name, value in optional.items() if value}


def frame_inputs(
    settings: Settings, version: Version, file: Path, args: Mapping[str, str], images: Mapping[str, str]
) -> dict[str, str]:
    """What a frame is made of, each by hash. What changes between two builds of one commit (the date …) is left out.

    Args:
        images: what it is built on, each by its id: `base`, `parent`, `other images`.
    """
    passing = {"DATE", "VERSION", "URL", "BRANCH"} - set(version.frame.build_args)
    return {
        "content": version.release.tree,
        "Dockerfile": digest(file.read_bytes().hex()),
        **images,
        "build arguments": digest({key: value for key, value in args.items() if key not in passing}),
        "build options": digest(version.frame.build_options),
        "settings": digest([settings.vendor, settings.url, settings.description, version.frame.port]),
    }


def digest(value: object) -> str:
    """A short hash of anything that JSON can hold."""
    import hashlib

    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def changed(labels: Mapping[str, str], inputs: Mapping[str, str]) -> list[str]:
    """Which inputs differ from those that an image's label names; all of them when the label says nothing readable."""
    try:
        former = json.loads(labels.get(label.INPUTS, ""))
    except (ValueError, RecursionError):
        former = None
    if not isinstance(former, dict):
        return list(inputs)
    return [brief(name, 40) for name in {**inputs, **former} if former.get(name) != inputs.get(name)]


def reason_for_base(former: Image | None, inputs: Mapping[str, str], force: bool) -> str:
    """Why the base is to be built, for people; "" when the present one is up to date."""
    if former is None:
        return "it is missing"
    if differing := changed(former.labels, inputs):
        return f"changed since the last build: {', '.join(differing)}"
    return "--force was given" if force else ""


def reason_for_frame(former: Image | None, version: Version, inputs: Mapping[str, str], force: bool) -> str:
    """Why a version is to be built, for people; "" when this very content is built already.

    Raises:
        Exit: with code 2 when the tag names another commit.
    """
    release = version.release
    if former is None:
        return f"commit {release.commit} of {release.branch}"
    theirs = label.commit_of(former.labels)
    if not (theirs and release.revision.startswith(theirs)) and not force:
        raise Exit(
            f"{former.reference} already names commit {theirs[:7] or 'unknown'}, and this is "
            f"{release.commit} of {release.branch}. "
            "Type --suffix NAME for a tag of its own, or --force to replace it.",
            code=2,
        )
    if differing := changed(former.labels, inputs):
        return f"changed since the last build: {', '.join(differing)}; the tag moves to the new image"
    return "--force was given" if force else ""
