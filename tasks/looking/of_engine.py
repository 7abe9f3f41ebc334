"""What `doctor` looks at in the engine: the client, the image store, the builder."""

import re
from collections.abc import Iterator

from invoke import Context

from ..engine.engine import Engine
from ..engine.facts import Facts
from ..host.debian import way_to_install
from ..host.shell import UNKNOWN, ask
from .finding import Finding, broken, doubtful, fine

VERSION = r"\d+\.\d+[\w.+~-]*"
OLDEST = (20, 10)  # of the client: `docker create --pull` is not in older ones
CLIENT = ("docker-cli", "docker.io")  # Debian 13 split the one off from the other
BUILDX = ("docker-buildx", "docker-buildx-plugin")  # of Debian, of docker.com
BY_HAND = "no package of apt's here brings it; https://docs.docker.com/go/buildx/ says how it is put in place"


def engine_itself(engine: Engine, facts: Facts) -> Iterator[Finding]:
    """That it answers, and where."""
    there = (
        "" if engine.shares_files else ", on another machine, of which disk, driver, folders and limits are not seen"
    )
    yield fine("engine", f"Docker Engine {facts.version} at {engine.endpoint.host}{there}")


def client(c: Context, engine: Engine, answers: bool) -> Iterator[Finding]:
    """Whether the docker CLI is here and talks to the engine: all that changes something goes through it.

    Args:
        answers: whether the engine answers us; the client would wait for a silent one without end.
    """
    question = ["version", "--format", "{{.Client.Version}}"] if answers else ["--version"]
    result = ask(c, ["docker", *question], env=engine.environment)
    found = re.search(VERSION, result.stdout)
    version = found[0] if found else ""
    if result.exited == UNKNOWN:
        yield broken("client", "There is no docker client here.", way_to_install(c, *CLIENT))
    elif not version:
        yield broken("client", f"The docker client does not work: {last_line(result.stderr)}.", "docker version")
    elif tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < OLDEST:
        yield broken("client", f"The docker client {version} is older than 20.10.", way_to_install(c, *CLIENT))
    elif not result.ok:
        yield broken("client", f"The docker client {version} says: {last_line(result.stderr)}.", "docker version")
    else:
        yield fine("client", f"docker client {version}")


def store(facts: Facts) -> Iterator[Finding]:
    """The kind of image store."""
    if facts.driver == "vfs":
        said = "The storage driver vfs copies every layer whole; see storage-driver in /etc/docker/daemon.json."
        yield doubtful("image store", said, None)
        return
    yield fine("image store", f"{'containerd' if facts.containerd else 'classic'} ({facts.driver})")


def builder(c: Context, engine: Engine) -> Iterator[Finding]:
    """Which builder `docker build` is: its own help lists flags of BuildKit only where that would build."""
    result = ask(c, ["docker", "build", "--help"], env=engine.environment)
    if result.exited == UNKNOWN:
        return  # said of the client
    if not result.ok:
        said = f"docker build does not work: {first_line(result.stderr)}"
        yield broken("builder", *with_buildx(c, said))
    elif "--progress" in result.stdout:
        yield fine("builder", "BuildKit")
    elif "DEPRECATED" in result.stdout + result.stderr:
        said = "The legacy builder, which docker is about to give up; the plugin buildx is missing"
        yield doubtful("builder", *with_buildx(c, said))
    else:
        yield fine("builder", "the legacy builder; DOCKER_BUILDKIT=1 is BuildKit")


def with_buildx(c: Context, said: str) -> tuple[str, str | None]:
    """A sentence about what lacks the plugin buildx, and what to type for that."""
    way = way_to_install(c, *BUILDX)
    return f"{said}." if way else f"{said}; {BY_HAND}.", way


def first_line(text: str) -> str:
    return next((line.strip().rstrip(".") for line in text.splitlines() if line.strip()), "it said nothing")


def last_line(text: str) -> str:
    return first_line("\n".join(reversed(text.splitlines())))
