"""Docker's own grammars: a repository (with or without a registry), a reference, a container's name, a tag."""

import re

REPOSITORY = r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"
REFERENCE = r"^[a-z0-9][a-zA-Z0-9._/:@-]*$"
CONTAINER = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$"


def valid_tag(tag: str) -> bool:
    """Whether Docker would accept this as an image's tag (https://docs.docker.com/reference/cli/docker/image/tag/)."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", tag) is not None
