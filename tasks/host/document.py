"""What a task shows to programs: one JSON document on standard output."""

import json
from datetime import datetime, timezone
from typing import Any

import msgspec


def show(value: Any) -> None:
    """Print a record, or a dictionary or list of them, as JSON, its keys in the order of its fields."""
    print(json.dumps(msgspec.to_builtins(value), indent=2))


def moment(seconds: float) -> str | None:
    """A time in seconds since 1970 as ISO 8601 in UTC, such as `2019-08-30T14:46:20Z`.

    None for 0, which is unknown, and for what no calendar holds: a label can say any time.
    """
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None
    except (ValueError, OverflowError, OSError):
        return None
