"""What pip is configured with, as far as it says where packages come from."""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping

from msgspec import Struct

PYPI = "https://pypi.org/simple"
# Later ones win, as in pip, which has each command read its own section; its variables win over all.
SECTIONS = ("global", "download", "install")
KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "cert", "trusted-host", "proxy")


class PipSettings(Struct, frozen=True):
    """Where packages come from.

    Attributes:
        indexes: URLs of package indexes, in the order in which they are asked; http, https or file.
        links: folders, and addresses of pages or folders, that hold files themselves (`find-links`).
        certificates: a file of those to trust, instead of the usual ones; "" for those.
        trusted: hosts, or host:port, that need no valid certificate.
        proxy: the proxy to use; "" for that of the environment.
    """

    indexes: tuple[str, ...] = (PYPI,)
    links: tuple[str, ...] = ()
    certificates: str = ""
    trusted: tuple[str, ...] = ()
    proxy: str = ""


def configured() -> PipSettings:
    """The settings with which pip would install here. Pip itself is asked for its files: that takes a second."""
    found = settings_in_files() if os.environ.get("PIP_CONFIG_FILE") != os.devnull else {}
    found = {**found, **{key: value for key in KEYS if (value := os.environ.get(variable(key), ""))}}
    urls = [found.get("index-url", PYPI), *found.get("extra-index-url", "").split()]
    if found.get("no-index", "").lower() in ("1", "yes", "true", "on", "y", "t"):
        urls = []
    return PipSettings(
        tuple(dict.fromkeys(url.strip().rstrip("/") for url in urls)),
        tuple(found.get("find-links", "").split()),
        os.path.expanduser(found.get("cert", "")),  # noqa: PTH111 - "" is no path
        tuple(found.get("trusted-host", "").split()),
        found.get("proxy", ""),
    )


def variable(key: str) -> str:
    """The environment variable of a setting."""
    return f"PIP_{key.upper().replace('-', '_')}"


def settings_in_files() -> Mapping[str, str]:
    """The settings in pip's own files."""
    # `list` and not `get`, which does not read the file that PIP_CONFIG_FILE names
    pip = [sys.executable, "-I", "-m", "pip", "config", "list"]
    done = subprocess.run(pip, capture_output=True, encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL)
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
