"""Docker's own grammars: a repository (with or without a registry), a reference, the name of a container or volume, a
tag; and which names docker takes for one.

Source: distribution/reference (normalize.go).
"""

import re

REPOSITORY = r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"
REFERENCE = r"^[a-z0-9][a-zA-Z0-9._/:@-]*$"
BUILDING = ".building-"  # in the tag that an image has for the time of its build
CONTAINER = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$"


def valid_name(name: str) -> bool:
    """Whether Docker would accept this as a container's or a volume's name."""
    return re.fullmatch(CONTAINER, name) is not None


def valid_tag(tag: str) -> bool:
    """Whether Docker would accept this as an image's tag (https://docs.docker.com/reference/cli/docker/image/tag/)."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", tag) is not None


def valid_reference(reference: str) -> bool:
    """Whether Docker would accept this as a repository with a tag. `sha256:…` is an image's id."""
    repository, _, tag = reference.rpartition(":")
    named = re.fullmatch(REPOSITORY, repository) is not None and len(repository) <= 255
    return named and repository != "sha256" and valid_tag(tag)


def for_the_time_being(reference: str, key: str) -> str:
    """The name of an image until it is found to be right. `key`: 8 or 16 hexadecimal digits that tell it from others.

    A tag has 128 characters at most.
    """
    repository, _, tag = reference.rpartition(":")
    return f"{repository}:{tag[:100]}{BUILDING}{key}"


def being_built(tag: str) -> bool:
    """Whether an image has this tag only for the time of its build."""
    return re.search(re.escape(BUILDING) + "[0-9a-f]{8}([0-9a-f]{8})?$", tag) is not None


def full_reference(image: str) -> tuple[str, str]:
    """An image's repository and tag, with everything that docker leaves out of a name written out."""
    host, slash, path = image.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost" or host != host.lower()):
        host, path = "docker.io", image
    if host == "index.docker.io":
        host = "docker.io"
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    repository, colon, tag = path.partition(":")
    return f"{host}/{repository}", tag if colon else "latest"


def repository_of(reference: str) -> str:
    """The repository of a reference, spelled as the engine lists it: without tag, digest and what docker leaves out.

    `docker.io/library/busybox:1`, `library/busybox` and `busybox` are all `busybox`.
    """
    repository = full_reference(reference.partition("@")[0])[0]
    path = repository.removeprefix("docker.io/")
    return path.removeprefix("library/") if path.count("/") == 1 and path != repository else path


def called(tags: list[str] | None, digests: list[str] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """An image's tags and digests, from what the engine lists as such.

    Older engines list `<none>:<none>` where there is none. With containerd's store, Docker 26 lists what was pulled by
    a digest among the tags, and may leave it out of the digests.
    """
    names = dict.fromkeys(name for name in (*(tags or ()), *(digests or ())) if not name.startswith("<none>"))
    return tuple(name for name in names if "@" not in name), tuple(name for name in names if "@" in name)


def same_repository(one: str, other: str) -> bool:
    """Whether docker takes two references, with or without tags, for ones of the same repository."""
    return one == other or repository_of(one) == repository_of(other)
