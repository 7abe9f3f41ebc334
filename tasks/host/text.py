"""Text for people: what comes from outside made safe for a terminal, ages, URLs without their secrets."""

import re
from datetime import datetime, timezone

# What a shell replaces outside single quotes: variables, their other forms, and the output of commands.
REPLACED_BY_A_SHELL = re.compile(r"\$(?:\{[^}]*\}?|\([^)]*\)?|[A-Za-z_]\w*|[0-9@*#?$!-])|`[^`]*`?")
# What it acts on outside all quotes: the end of a command, a pipe, a file instead of the terminal.
SHELL_OPERATOR = re.compile(r"[;&|<>()]+")
# The same as a whole word of a list, where nothing is quoted: && ; 2>&1 >/dev/null
SHELL_OPERATOR_WORD = re.compile(r"[;&|]+|\d?[<>]{1,2}(?:&(?:\d|-)?|/\S*)?")

AGREE = 60.0  # seconds that two clocks may be apart without a word


def age(seconds: float) -> str:
    """A duration in the largest unit that makes it at least 1: 5 seconds, 3 minutes, 2 hours, 40 days."""
    units = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
    size, unit = next((one for one in units if seconds >= one[0]), units[-1])
    count = max(0, int(seconds // size))
    return f"{count} {unit}{'s' * (count != 1)}"


def ago(seconds: float, past: str = "ago") -> str:
    """How long ago something was: 3 hours ago. `past`: the word for that.

    What is yet to come by this clock is 3 hours ahead: another clock went before it, or wrong.
    """
    return f"{age(seconds)} {past}" if seconds > -AGREE else f"{age(-seconds)} ahead"


def utc(seconds: float) -> str:
    """A time in seconds since 1970, for people anywhere: 2019-08-30 14:46:20 UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def size(count: int) -> str:
    """A number of bytes as docker shows it: 6.3 GB, 41.2 MB, 512 B."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB" if value < 999.5 else f"{value:.0f} TB"


def printable(text: str) -> str:
    """Text from outside, without anything that could steer a terminal."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def brief(text: object, longest: int = 200) -> str:
    """The same for a part of a sentence: no longer than so many characters."""
    clean = printable(str(text))
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def without_credentials(url: str) -> str:
    """A URL, a remote of git's or a path, without what may be secret: user, password, query and fragment.

    The user `git` of ssh is no secret, and stays where no password follows it: `ssh://git@host/path`, `git@host:path`.
    """
    if found := re.fullmatch(r"([^/?#]+)://(?:([^/?#]*)@)?([^?#]*).*", url, re.DOTALL):
        scheme, user, rest = found.groups()
        return f"{scheme}://{'git@' * (user == 'git' and 'ssh' in scheme)}{rest}"
    if ":" not in url.partition("/")[0]:
        return url  # a path on this machine
    beginning, slash, path = url.partition("/")
    user, at, rest = beginning.partition("@")
    if ":" in user:  # user:token@host:path; the token may hold an @ too
        rest = beginning.rpartition("@")[2] if at else beginning
    return url if not at or user == "git" else rest + slash + path
