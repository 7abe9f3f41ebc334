"""What pip is configured with, as far as it says where packages come from."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Mapping

from msgspec import Struct

from ..host.text import brief

PYPI = "https://pypi.org/simple"
# Later ones win, as in pip, which has each command read its own section; its variables win over all.
SECTIONS = ("global", "download", "install")
KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "cert", "client-cert", "trusted-host", "proxy")
NO_PIP = "No module named pip"


class PipSettings(Struct, frozen=True):
    """Where packages come from.

    Attributes:
        indexes: package indexes, in the order in which they are asked; URLs (http, https or file), or folders.
        links: folders, and addresses of pages or folders, that hold files themselves (`find-links`).
        certificates: a file of those to trust, instead of the usual ones; "" for those.
        own_certificate: the file with one's own, and its key; "" for none.
        trusted: hosts, or host:port, that need no valid certificate.
        proxy: the proxy to use; "" for that of the environment.
        trouble: why pip itself would not start, as the end of a sentence; else "".
    """

    indexes: tuple[str, ...] = (PYPI,)
    links: tuple[str, ...] = ()
    certificates: str = ""
    own_certificate: str = ""
    trusted: tuple[str, ...] = ()
    proxy: str = ""
    trouble: str = ""


def configured() -> PipSettings:
    """The settings with which pip would install here. Pip itself is asked for its files: that takes a second."""
    found: Mapping[str, str] = {}
    if os.environ.get("PIP_CONFIG_FILE") != os.devnull:
        try:
            found = settings_in_files()
        except Unreadable as error:
            return PipSettings(trouble=str(error))
    found = {**found, **{key: value for key in KEYS if (value := os.environ.get(variable(key), ""))}}
    urls = [found.get("index-url", PYPI), *found.get("extra-index-url", "").split()]
    if found.get("no-index", "").lower() in ("1", "yes", "true", "on", "y", "t"):
        urls = []
    return PipSettings(
        indexes=tuple(dict.fromkeys(url.strip().rstrip("/") for url in urls)),
        links=tuple(found.get("find-links", "").split()),
        certificates=os.path.expanduser(found.get("cert", "")),  # noqa: PTH111 - "" is no path
        own_certificate=os.path.expanduser(found.get("client-cert", "")),  # noqa: PTH111
        trusted=tuple(found.get("trusted-host", "").split()),
        proxy=found.get("proxy", ""),
    )


class Unreadable(Exception):
    """Pip's own files cannot be read, so pip itself would refuse to work: why, as the end of a sentence."""


def variable(key: str) -> str:
    """The environment variable of a setting."""
    return f"PIP_{key.upper().replace('-', '_')}"


def settings_in_files() -> Mapping[str, str]:
    """The settings in pip's own files.

    Raises:
        Unreadable: with pip's own reason.
    """
    # `list` and not `get`, which does not read the file that PIP_CONFIG_FILE names
    pip = [sys.executable, "-I", "-m", "pip", "config", "list"]
    # Its own variables say how it talks (PIP_QUIET), or even which Python is meant, and so may its files.
    kept = {key: value for key, value in os.environ.items() if key == "PIP_CONFIG_FILE" or not key.startswith("PIP_")}
    done = subprocess.run(
        pip,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
        env=kept | {"PIP_QUIET": "0", "PIP_VERBOSE": "0"},
    )
    if done.returncode and NO_PIP not in done.stderr:
        said = " ".join(re.sub(r"//[^/\s@]*@", "//", done.stderr).split()) or f"it ends with {done.returncode}"
        raise Unreadable(f"pip cannot read its own settings ({brief(said)}); mend them")
    found: dict[str, str] = {}
    rows = dict(row.split("=", 1) for row in done.stdout.splitlines() if "=" in row)
    for section in SECTIONS:
        for key in KEYS:
            if value := rows.get(f"{section}.{key}"):
                found[key] = unquoted(value)
    return {key: value for key, value in found.items() if value}


def unquoted(value: str) -> str:
    """A value as pip shows it (Python's own quotes), plain."""
    try:
        return str(ast.literal_eval(value))
    except (ValueError, SyntaxError):
        return value.strip("'\"")
