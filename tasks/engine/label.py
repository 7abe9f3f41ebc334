"""The names of the labels on images and containers, and what they say.

Three sets: label-schema (http://label-schema.org/rc1/), OCI
(https://github.com/opencontainers/image-spec/blob/main/annotations.md), and this project's own.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timezone

from .names import same_repository

SCHEMA = "org.label-schema."
OCI = "org.opencontainers.image."
OWN = "com.colorai.stack."

LONGEST = 250  # characters of a commit, a branch or a tag

NAME = SCHEMA + "name"
COMMAND = SCHEMA + "docker.cmd"
SHORT_COMMIT = SCHEMA + "vcs-ref"
SCHEMA_BRANCH = SCHEMA + "vcs-branch"
BUILD_DATE = SCHEMA + "build-date"

CREATED = OCI + "created"
REVISION = OCI + "revision"
VERSION = OCI + "version"
BRANCH = OCI + "ref.name"

INPUTS = OWN + "inputs"  # of an image: what it is made of, by hash
TREE = OWN + "tree"
DIRTY = OWN + "dirty"
BASE = OWN + "base"
VENDOR = OWN + "vendor"
PORT = OWN + "port"
SERVICE = OWN + "service"  # of a container: whose it is
RAN = OWN + "run"  # the checked command that it was made by
REHEARSAL = OWN + "rehearsal"
RECOVERY = OWN + "recovery"
TICKET = OWN + "switch"
DEV = OWN + "dev"  # of a container of `inv dev`: whose service's source it shows
ROLLOUT = OWN + "rollout"  # of a Swarm service and its containers: the stack file that made it, by hash
IMAGE = OWN + "image"  # of a Swarm service's containers: the image that the stack file names
FAILED = OWN + "failed"  # of a Swarm service: the tag of the version that it came back from
STACK_IMAGE = "com.docker.stack.image"  # of a Swarm service: the same, as `docker stack deploy` notes it
WEIGHTS = OWN + "weights"  # of the weights' server: how it was made


def names(labels: Mapping[str, str], repository: str) -> bool:
    """Whether an image says that it is one of this repository's."""
    return same_repository(labels.get(NAME) or "", repository)


def commit_of(labels: Mapping[str, str]) -> str:
    """The commit that an image says it was made from, in full or short; "" if it does not say."""
    return first(labels, REVISION, SHORT_COMMIT)


def branch_of(labels: Mapping[str, str]) -> str:
    """The branch that an image says it was made from; "" if it does not say."""
    return first(labels, BRANCH, SCHEMA_BRANCH)


def created_of(labels: Mapping[str, str]) -> float:
    """When an image was built, in seconds since 1970, by its own word; 0 if it does not say.

    The engine's word does not count: BuildKit keeps it from its cache.
    """
    try:
        found = datetime.fromisoformat(labels.get(CREATED) or labels.get(BUILD_DATE) or "")
    except ValueError:
        return 0.0
    return max((found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp(), 0.0)


def version_of(labels: Mapping[str, str], image: str) -> str:
    """The tag that an image was built under, by its labels; the beginning of its id if they do not say."""
    return first(labels, VERSION) or image.removeprefix("sha256:")[:12]


def base_of(labels: Mapping[str, str]) -> str:
    """The id of the base that an image says it was built on; "" if it does not say, or what it says is no id."""
    said = labels.get(BASE, "")
    return said if re.fullmatch("sha256:[0-9a-f]{64}", said) else ""


def is_dirty(labels: Mapping[str, str]) -> bool | None:
    """Whether an image was built from uncommitted changes; None if it does not say."""
    return {"true": True, "false": False}.get(labels.get(DIRTY, ""))


def first(labels: Mapping[str, str], *names: str) -> str:
    """The first of these labels that says something, without anything that could steer a terminal, and not endless."""
    text = next((labels[name] for name in names if labels.get(name)), "")[:LONGEST]
    return "".join(char if char.isprintable() else "?" for char in text)
