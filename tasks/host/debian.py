"""Bringing programs that a machine lacks, on Debian and Ubuntu as root; elsewhere saying what to type."""

import os
from collections.abc import Sequence
from pathlib import Path

from invoke import Context, Exit

from .saying import say
from .shell import ask, run

PATH = "/usr/local/sbin:/usr/sbin:/sbin"  # where dockerd lies; not always on a user's PATH
# What docker.io itself holds, or does not need, before Debian 13.
SPLIT_OFF = {"docker.io": ("docker-cli", "docker-buildx")}


def program(name: str) -> str | None:
    """The path of a program, if it is installed."""
    from shutil import which

    return which(name, path=f"{os.environ.get('PATH', '')}:{PATH}")


def way_to_install(c: Context, *names: str) -> str | None:
    """What to type for the first of these packages that apt knows on this machine; None where it knows none."""
    found = next((name for name in names if ask(c, ["apt-cache", "show", name]).ok), "")
    return f"apt-get install {found}" if found else None


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
    say(f"Installing {wanted} {purpose}.")
    quiet: dict[str, str | None] = {"DEBIAN_FRONTEND": "noninteractive"}
    failed = f"apt-get could not install {wanted}; its last lines say why. Check the network, then type the same again."
    run(c, ["apt-get", "update", "-qq"], failed, env=quiet)
    parts = [part for name in packages for part in SPLIT_OFF.get(name, ()) if ask(c, ["apt-cache", "show", part]).ok]
    run(c, ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, *parts], failed, env=quiet)


def root_file_system(c: Context) -> Path:
    """A Debian with Python as a tar archive, made once and kept in the cache: a first layer without a registry.

    Raises:
        Exit: with code 1 when it cannot be made.
    """
    home = os.environ.get("HOME") or "/root"  # only root gets here
    cache = Path(os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache") / "cauchycv"
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
