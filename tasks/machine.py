"""The task `engine`: a Docker Engine to work with."""

import os
from pathlib import Path

from invoke import Context, Exit, task

from .engine import engine as engines
from .host import debian
from .host.shell import ask


@task
def engine(c: Context) -> None:
    """Say which Docker Engine answers; bring one if none does.

    Installs docker.io on Debian or Ubuntu, as root, after saying so. Elsewhere it says what to type.
    """
    endpoint = engines.resolve()
    answer = asked(c, endpoint)
    if not answer and endpoint.host != engines.DEFAULT:
        if debian.program("docker") is None:
            raise Exit(
                "There is no docker client here. Type: apt-get install docker.io (on Debian 13: docker-cli)", code=1
            )
        variable = next((name for name in ("DOCKER_HOST", "DOCKER_CONTEXT") if os.environ.get(name)), "")
        source, way = variable or "the docker context", "docker context use default"
        if variable:
            way = f"unset {variable}"
        raise Exit(
            f"No Docker Engine answers at {endpoint.host}, which {source} names. Start it there, or type: {way}", code=1
        )
    there = Path(endpoint.socket)
    if not answer and there.exists() and not os.access(there, os.R_OK | os.W_OK):
        raise engines.Unreachable(endpoint, engines.DENIED)
    if not answer:
        if debian.program("dockerd") is None or debian.program("docker") is None:
            debian.install(c, ["docker.io"], "for a Docker Engine")
        debian.start_engine(c)
        answer = asked(c, endpoint)
    print(f"Docker Engine {answer or 'would answer'} at {endpoint.host}.", flush=True)


def asked(c: Context, endpoint: engines.Endpoint) -> str:
    """The engine's version and storage, asked with the docker CLI; "" when none answers."""
    # Without an engine, a client since 25 ends with 0 all the same, and prints what is not there as nothing.
    question = ["docker", "info", "--format", "{{if .ServerVersion}}{{.ServerVersion}} ({{.Driver}}){{end}}"]
    result = ask(c, question, env=endpoint.environment())
    return result.stdout.strip() if result.ok else ""
