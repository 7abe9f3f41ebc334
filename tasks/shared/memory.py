"""What YAML files hold, remembered beside the packages: reading YAML takes as long as all else before a task."""

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

FILE = Path(sys.prefix) / "yaml.json"  # pairs of kind and text, and what it holds; the last one first
KEPT = 8  # such pairs


def recall(path: Path, text: str, kind: str, parse: Callable[[str], Any], worth: Callable[[Any], bool]) -> Any:
    """What a file's text holds: as it was parsed before, if that is remembered, else parsed now.

    Remembered is only what is worth it, what JSON can hold, and what stands in a file that everybody may read: another
    one may hold a password.

    Args:
        kind: what `parse` makes of a text; the same text may be of two kinds.

    Raises:
        Whatever `parse` raises.
    """
    key = f"{kind}\n{text}"
    try:
        known = list(json.loads(FILE.read_bytes()))
        return next(value for former, value in known if former == key)
    except (OSError, ValueError, TypeError, RecursionError):
        known = []
    except StopIteration:
        pass
    value = parse(text)
    with suppress(OSError, ValueError, TypeError, RecursionError):  # not everything can be kept; nothing has to
        if worth(value) and path.stat().st_mode & 0o004 and json.loads(json.dumps(value)) == value:
            keep([[key, value], *known[: KEPT - 1]])
    return value


def keep(known: list[Any]) -> None:
    """Write down what is remembered, for this user alone."""
    part = FILE.with_name(f"{FILE.name}.{os.getpid()}")
    try:
        with open(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            json.dump(known, file)
        part.replace(FILE)
    finally:
        part.unlink(missing_ok=True)
