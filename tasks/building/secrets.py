"""Secrets that are about to be published: whoever has an image can read its labels."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

WORDS = {"key", "pass", "pwd", "auth", "secrets", "credential", "credentials"}  # parts of a variable's name
ENDINGS = ("password", "passwd", "secret", "token", "apikey", "passphrase")  # and how one may end


def secrets_in(command: Sequence[str]) -> list[str]:
    """The names of the variables that a `docker run …` sets and that look like secrets."""
    return [name for name, value in variables(command) if looks_secret(name, value)]


def variables(command: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What `--env NAME=value` sets, in each of its spellings. A name alone publishes no value."""
    for word, following in pairwise([*command, ""]):
        if word in ("--env", "-e"):
            pair = following
        elif word.startswith("--env="):
            pair = word.removeprefix("--env=")
        elif re.match(r"-e[A-Za-z_=]", word):
            pair = word[2:].lstrip("=")
        else:
            continue
        name, _, value = pair.partition("=")
        yield name, value


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable looks like a secret: by its name, or as an address with a password in it."""
    parts = re.split(r"[^a-z0-9]+", name.lower())
    named = WORDS.intersection(parts) or any(part.endswith(ENDINGS) for part in parts)
    return bool(value and (named or re.search(r"://[^/@\s:]*:[^/@\s]+@", value)))
