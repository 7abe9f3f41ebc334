"""Bringing programs that a machine lacks, on Debian and Ubuntu as root; elsewhere saying what to type."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from invoke import Context, Exit

from ..engine.engine import DEFAULT
from .shell import ask, run

PATH = "/usr/local/sbin:/usr/sbin:/sbin"  # where dockerd lies; not always on a user's PATH
LOG = Path("/var/log/dockerd.log")
ANSWERS_WITHIN = 60  # seconds
OTHER_WITHIN = 5  # seconds in which an engine may answer that somebody else started in this moment
# What docker.io itself holds, or does not need, before Debian 13.
SPLIT_OFF = {"docker.io": ("docker-cli", "docker-buildx")}


def program(name: str) -> str | None:
    """The path of a program, if it is installed."""
    from shutil import which

    return which(name, path=f"{os.environ.get('PATH', '')}:{PATH}")


def install(c: Context, packages: Sequence[str], purpose: str) -> None:
    """Install Debian packages, after saying so.

    Args:
        purpose: why, as the end of a sentence: "for a Docker Engine".

    Raises:
        Exit: with code 1 where this cannot be done; the sentence says what to type.
    """
    wanted = " ".join(packages)
    if program("apt-get") is None:
        raise Exit(f"Install {wanted} {purpose}: this machine has no apt-get, so inv cannot do it.", code=1)
    if os.geteuid() != 0:
        raise Exit(f"Only root can install {wanted} {purpose}. Type: sudo apt-get install {wanted}", code=1)
    print(f"Installing {wanted} {purpose}.", flush=True)
    quiet: dict[str, str | None] = {"DEBIAN_FRONTEND": "noninteractive"}
    failed = f"apt-get could not install {wanted}; its last lines say why. Check the network, then type the same again."
    run(c, ["apt-get", "update", "-qq"], failed, env=quiet)
    parts = [part for name in packages for part in SPLIT_OFF.get(name, ()) if ask(c, ["apt-cache", "show", part]).ok]
    run(c, ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, *parts], failed, env=quiet)


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
            words = [program("dockerd") or "dockerd"]
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


def root_file_system(c: Context) -> Path:
    """A Debian with Python as a tar archive, made once and kept in the cache: a first layer without a registry.

    Raises:
        Exit: with code 1 when it cannot be made.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cauchycv"
    archive = cache / "bookworm-python.tar"
    if archive.exists() or c.config.run.dry:
        return archive
    if program("mmdebstrap") is None:
        install(c, ["mmdebstrap"], "to make a first layer")
    from tempfile import TemporaryDirectory

    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache) as part:
        include = "python3,python3-pip,python3-setuptools,python3-wheel,python-is-python3,ca-certificates"
        run(
            c,
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={include}", "bookworm", f"{part}/root.tar"],
            "mmdebstrap could not make a first layer; its last lines say why. Check the network, then type it again.",
        )
        Path(part, "root.tar").replace(archive)
    return archive
