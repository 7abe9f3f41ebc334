"""Some of docker's commands by the engine's API: the client's start alone takes twenty times as long."""

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

Ask = Callable[[str, str], Any]  # a method and a path
FIELD = re.compile(r"\{\{(json )?((?:\.\w+)+)\}\}|\{\{index ((?:\.\w+)+) \"([^\"]+)\"\}\}")


class Unknown(Exception):
    """Not one of these commands, or not quite."""


def done(ask: Ask, words: Sequence[str]) -> "subprocess.CompletedProcess[str] | None":
    """Do a command, or return None: the client has to do it, or to say what is wrong with it."""
    verb, rest = (" ".join(words[:2]), words[2:]) if words[0] == "image" else (words[0], words[1:])
    try:
        said = COMMANDS[verb](ask, [*rest])
    except (Unknown, AssertionError, KeyError):
        return None
    return subprocess.CompletedProcess([*words], 0, "".join(f"{line}\n" for line in said), "")


def inspect(kinds: Sequence[str]) -> Callable[[Ask, list[str]], list[str]]:
    """`docker inspect`, and `docker image inspect`, with a format of plain fields, or without one."""

    def look(ask: Ask, words: list[str]) -> list[str]:
        form = words.pop(1) if words[0] == "--format" else ""
        names = plain(words[1:] if form else words)
        found = [first(ask, kinds, name) for name in names]
        if not form:
            return [json.dumps(found)]
        if "{{" in FIELD.sub("", form):
            raise Unknown
        return [FIELD.sub(lambda field, one=one: written(one, field), form) for one in found]  # type: ignore[misc]

    return look


def first(ask: Ask, kinds: Sequence[str], name: str) -> Any:
    """What is there by this name, of the first kind that has it."""
    for kind in kinds:
        try:
            return ask("GET", f"/{kind}/{quote(name)}/json")
        except AssertionError:
            continue
    raise Unknown


def written(of: Any, field: "re.Match[str]") -> str:
    """A field as Go's templates write it."""
    for part in (field[2] or field[3]).split(".")[1:]:
        of = of[part]
    if field[4]:
        of = of[field[4]]
    if field[1]:
        return json.dumps(of, separators=(",", ":"))
    if isinstance(of, bool):
        return str(of).lower()
    if not isinstance(of, str | int):
        raise Unknown
    return str(of)


def plain(words: Sequence[str]) -> Sequence[str]:
    """Words of which none is a flag."""
    if not words or any(word.startswith("-") for word in words):
        raise Unknown
    return words


def act(method: str, path: str) -> Callable[[Ask, list[str]], list[str]]:
    """A command that does the same to each of what it names. `path`: with `{}` for the name."""

    def do(ask: Ask, words: list[str]) -> list[str]:
        force = words[0] in ("--force", "-f") and method == "DELETE"
        names = plain(words[1:] if force else words)
        for name in names:
            ask(method, path.format(quote(name)) + ("?force=1" if force else ""))
        return [*names]

    return do


def rename(ask: Ask, words: list[str]) -> list[str]:
    name, to = plain(words)
    ask("POST", f"/containers/{quote(name)}/rename?name={quote(to)}")
    return []


def tag(ask: Ask, words: list[str]) -> list[str]:
    name, to = plain(words)
    repository, colon, label = to.rpartition(":")
    if not colon or "/" in label:
        raise Unknown
    ask("POST", f"/images/{quote(name)}/tag?repo={quote(repository)}&tag={label}")
    return []


COMMANDS: dict[str, Callable[[Ask, list[str]], list[str]]] = {
    "inspect": inspect(("containers", "images")),
    "image inspect": inspect(("images",)),
    "image rm": act("DELETE", "/images/{}"),
    "rmi": act("DELETE", "/images/{}"),
    "rm": act("DELETE", "/containers/{}"),
    "start": act("POST", "/containers/{}/start"),
    "stop": act("POST", "/containers/{}/stop"),
    "pause": act("POST", "/containers/{}/pause"),
    "unpause": act("POST", "/containers/{}/unpause"),
    "rename": rename,
    "tag": tag,
}
