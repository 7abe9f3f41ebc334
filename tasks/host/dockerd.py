"""This machine's own Docker Engine: whether one answers, and bringing one where none does."""

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from invoke import Context, Exit

from . import debian
from .saying import say
from .shell import ask, run

OWN = "unix:///var/run/docker.sock"  # where an engine of this machine listens
LOG = Path("/var/log/dockerd.log")
ANSWERS_WITHIN = 60  # seconds
OTHER_WITHIN = 5  # seconds in which an engine may answer that somebody else started in this moment


def bring(c: Context, host: str, environment: Mapping[str, str | None], denied: Exit) -> str:
    """Make sure that a Docker Engine answers: install and start this machine's own if need be.

    Args:
        host: the engine's address; one elsewhere is never replaced.
        environment: what makes the docker CLI talk to that engine.
        denied: what to raise when this user may not use the engine.

    Returns:
        The engine's version and storage; "" under `--dry`, where none answers and none was brought.

    Raises:
        Exit: with code 1 and what to type.
    """
    if answer := version(c, environment):
        return answer
    if host != OWN:
        raise not_there(host)
    socket = Path(host.removeprefix("unix://"))
    if socket.exists() and not os.access(socket, os.R_OK | os.W_OK):
        raise denied
    if debian.program("dockerd") is None or debian.program("docker") is None:
        debian.install(c, ["docker.io", *([] if debian.program("nft") else ["nftables"])], "for a Docker Engine")
    start(c, environment)
    return version(c, environment)


def version(c: Context, environment: Mapping[str, str | None]) -> str:
    """The engine's version and storage, asked with the docker CLI; "" when none answers."""
    # Without an engine, a client since 25 ends with 0 all the same, and prints what is not there as nothing.
    question = ["docker", "info", "--format", "{{if .ServerVersion}}{{.ServerVersion}} ({{.Driver}}){{end}}"]
    result = ask(c, question, env=environment)
    return result.stdout.strip() if result.ok else ""


def not_there(host: str) -> Exit:
    """What to type when an engine elsewhere does not answer."""
    if debian.program("docker") is None:
        return Exit(
            "There is no docker client here. Type: apt-get install docker.io (on Debian 13: docker-cli)", code=1
        )
    variable = next((name for name in ("DOCKER_HOST", "DOCKER_CONTEXT") if os.environ.get(name)), "")
    source, command = ("the docker context", "docker context use default")
    if variable:
        source, command = variable, f"unset {variable}"
    said = f"No Docker Engine answers at {host}, which {source} names."
    return Exit(f"{said} Start it there, or type: {command}", code=1)


def start(c: Context, environment: Mapping[str, str | None]) -> None:
    """Start this machine's Docker Engine, by systemd if it runs, else in the background, and wait until it answers.

    Raises:
        Exit: with code 1 when it does not answer within a minute.
    """
    where, dockerd = "journalctl -u docker", None
    if Path("/run/systemd/system").is_dir():
        run(c, ["systemctl", "start", "docker"], "systemd could not start docker. See: journalctl -u docker")
    elif not c.config.run.dry:
        where, dockerd = str(LOG), in_background()
    begun = time.monotonic()
    while not c.config.run.dry:
        if ask(c, ["docker", "version"], env=environment).ok:
            return
        if dockerd and dockerd.poll() is not None and time.monotonic() - begun > OTHER_WITHIN:
            last = (LOG.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise Exit(f"dockerd has ended: {last} Its log: {where}", code=1)
        if time.monotonic() - begun > ANSWERS_WITHIN:
            raise Exit(f"dockerd does not answer after {ANSWERS_WITHIN} s. Its log says why: {where}", code=1)
        time.sleep(0.2)


def in_background() -> "subprocess.Popen[bytes]":
    """Start dockerd, which goes on when the task is over.

    Raises:
        Exit: with code 1 for anybody but root.
    """
    if os.geteuid() != 0:
        raise Exit("Only root can start the Docker Engine. Type: sudo dockerd", code=1)
    say(f"Starting dockerd in the background; its log is {LOG}.")
    words = [debian.program("dockerd") or "dockerd"]
    with open(LOG, "ab") as log:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
