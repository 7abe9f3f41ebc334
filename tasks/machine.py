"""The task `engine`: a Docker Engine to work with."""

import os
import subprocess
import time
from pathlib import Path

from invoke import Context, Exit

from .engine.client import DENIED, Unreachable
from .engine.endpoint import DEFAULT, Endpoint, resolve
from .host import debian
from .host.shell import ask, run
from .program.task import task


@task
def engine(c: Context) -> None:
    """Say which Docker Engine answers; bring one if none does.

    Installs docker.io on Debian or Ubuntu, as root, after saying so. Elsewhere it says what to type.
    """
    endpoint = resolve()
    answer = asked(c, endpoint)
    if not answer and endpoint.host != DEFAULT:
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
        raise Unreachable(endpoint, DENIED)
    if not answer:
        if debian.program("dockerd") is None or debian.program("docker") is None:
            debian.install(c, ["docker.io"], "for a Docker Engine")
        start_engine(c)
        answer = asked(c, endpoint)
    print(f"Docker Engine {answer or 'would answer'} at {endpoint.host}.", flush=True)


def asked(c: Context, endpoint: Endpoint) -> str:
    """The engine's version and storage, asked with the docker CLI; "" when none answers."""
    # Without an engine, a client since 25 ends with 0 all the same, and prints what is not there as nothing.
    question = ["docker", "info", "--format", "{{if .ServerVersion}}{{.ServerVersion}} ({{.Driver}}){{end}}"]
    result = ask(c, question, env=endpoint.environment())
    return result.stdout.strip() if result.ok else ""


LOG = Path("/var/log/dockerd.log")

ANSWERS_WITHIN = 60  # seconds

OTHER_WITHIN = 5  # seconds in which an engine may answer that somebody else started in this moment


def start_engine(c: Context) -> None:
    """Start this machine's Docker Engine: by systemd if it runs, else in the background.

    Raises:
        Exit: with code 1 when it does not answer within a minute.
    """
    where, dockerd = "journalctl -u docker", None
    if Path("/run/systemd/system").is_dir():
        run(c, ["systemctl", "start", "docker"], "systemd could not start docker. See: journalctl -u docker")
    elif not c.config.run.dry:
        if os.geteuid() != 0:
            raise Exit("Only root can start the Docker Engine. Type: sudo dockerd", code=1)
        print(f"Starting dockerd in the background; its log is {LOG}.", flush=True)
        where = str(LOG)
        with open(LOG, "ab") as log:
            words = [debian.program("dockerd") or "dockerd"]
            dockerd = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    begun = time.monotonic()
    while not c.config.run.dry:
        if ask(c, ["docker", "version"], env={"DOCKER_HOST": DEFAULT, "DOCKER_CONTEXT": None}).ok:
            return
        if dockerd and dockerd.poll() is not None and time.monotonic() - begun > OTHER_WITHIN:
            last = (LOG.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise Exit(f"dockerd has ended: {last} Its log: {where}", code=1)
        if time.monotonic() - begun > ANSWERS_WITHIN:
            raise Exit(f"dockerd does not answer after {ANSWERS_WITHIN} s. Its log says why: {where}", code=1)
        time.sleep(0.2)
