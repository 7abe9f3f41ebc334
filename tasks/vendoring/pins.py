"""vendor.yaml: the pins of the external libraries, read as the hostile text that it may be."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Exit
from msgspec import Struct

from ..host import files
from ..host.text import brief, without_credentials

if TYPE_CHECKING:
    from invoke.vendor.yaml import Node


class Pypi(Struct, frozen=True):
    """A wheel or sdist, kept as a file."""

    pypi: str
    sha256: str
    install: bool = True


class Git(Struct, frozen=True):
    """A commit of a repository, or one folder of it."""

    git: str
    rev: str
    path: str = ""
    branch: str = ""
    install: bool = True


class Url(Struct, frozen=True):
    """An archive, unpacked."""

    url: str
    sha256: str
    install: bool = True


Pin = Pypi | Git | Url


class Grammar(Struct, frozen=True):
    """What a value must look like: for the machine, and in words."""

    pattern: str
    expected: str


NAME = Grammar(
    r"(?!vendor\.yaml$)[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", "letters, digits and _ . -, with no . or - in front"
)
_SHA256 = Grammar(r"[0-9a-fA-F]{64}", "64 hex digits")
_INSTALL = Grammar(r"(?i:true|false)", "true or false")
# A host never starts with "-" (ssh would take it for an option), and no character of a URL is a blank or unprintable.
_USER = r"(?:(?!-)[^\s/@\\?#\x00-\x1f\x7f]+@)?"
_HOST = _USER + r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?"
_REST = r"/[^\s\\#\x00-\x1f\x7f]+"
_SCP = r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9_][A-Za-z0-9_.-]*:(?!-|:|//)[^\s\\\x00-\x1f\x7f]+"  # not ext::…
GRAMMARS: Mapping[str, Mapping[str, Grammar]] = {
    "pypi": {
        "pypi": Grammar(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?==[A-Za-z0-9][A-Za-z0-9.!+_-]*", '"name==version"'),
        "sha256": _SHA256,
        "install": _INSTALL,
    },
    "git": {
        "git": Grammar(
            rf"(https|ssh)://{_HOST}{_REST}|file://{_REST}|{_SCP}",
            "an https://, ssh:// or file:/// URL, or user@host:path",
        ),
        "rev": Grammar(r"[0-9a-fA-F]{40}", "a full commit id of 40 hex digits"),
        "path": Grammar(
            r"(?!(.*/)?(\.\.?|\.git)(/|$))[^/\\\s\x00-\x1f\x7f-][^\\\x00-\x1f\x7f]*", "a folder inside the repository"
        ),
        "branch": Grammar(r"(?!.*(\.\.|@\{))[A-Za-z0-9_][A-Za-z0-9_./+@#-]*", "the name of a branch"),
        "install": _INSTALL,
    },
    "url": {
        "url": Grammar(rf"https?://{_HOST}{_REST}", "an https:// or http:// URL of a file"),
        "sha256": _SHA256,
        "install": _INSTALL,
    },
}
CASELESS = ("sha256", "rev", "install")
OPTIONAL = ("path", "branch", "install")
NOT_INSTALLED = " (not installed)"  # docker/install_vendored.py reads it too
MAKERS: Mapping[str, type[Pypi] | type[Git] | type[Url]] = {"pypi": Pypi, "git": Git, "url": Url}


def read_pins(path: Path) -> dict[str, Pin]:
    """The pins of a vendor.yaml, checked, in the file's order; an empty file has none.

    Raises:
        Exit: with code 2 and one sentence that names the file, the line, the library, the key and what was expected.
    """
    root = parse(path, read_text(path))
    if root is None or (is_scalar(root) and not root.value):
        return {}
    return {name: read_pin(path, name, node) for name, node in entries(path, root, "").items()}


def read_text(path: Path) -> str:
    """The file's text.

    Raises:
        Exit: with code 2, when it cannot be read, or is no UTF-8.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:  # newline="": what is written back keeps its line ends
            return file.read()
    except FileNotFoundError:
        raise Exit(f"There is no {path}. Make it; an empty one pins nothing.", code=2) from None
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise Exit(f"Cannot read {path}: {problem}.", code=2) from None


def parse(path: Path, content: str) -> "Node | None":
    """The file as YAML nodes: they know their places, and a value stays text (a commit id may look like a number)."""
    from invoke.vendor.yaml import YAMLError, compose

    try:
        found: Node | None = compose(content)  # type: ignore[no-untyped-call]
    except (YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise Exit(f"{path}{line}: not valid YAML ({brief(problem)}).", code=2) from None
    return found


def is_scalar(node: "Node") -> bool:
    """Whether a node is a single value."""
    from invoke.vendor.yaml import ScalarNode

    return isinstance(node, ScalarNode)


def entries(path: Path, node: "Node", owner: str) -> "dict[str, Node]":
    """The keys of a mapping, each once."""
    from invoke.vendor.yaml import MappingNode

    if not isinstance(node, MappingNode) or not all(is_scalar(key) for key, _ in node.value):
        raise wrong(path, node, owner, "expected keys and values, such as {pypi: …, sha256: …}")
    found: dict[str, Node] = {}
    for key, value in node.value:
        if key.value in found:
            raise wrong(path, key, owner, f"{brief(key.value)} stands here twice; keep one")
        found[key.value] = value
    return found


def read_pin(path: Path, name: str, node: "Node") -> Pin:
    """One library's pin, checked."""
    if not re.fullmatch(NAME.pattern, name):
        raise wrong(path, node, "", f'"{brief(name)}" cannot name a library: expected {NAME.expected}')
    values = entries(path, node, name)
    kinds = [kind for kind in GRAMMARS if kind in values]
    if len(kinds) != 1:
        got = f"got {' and '.join(kinds)}" if kinds else "got none of them"
        raise wrong(path, node, name, f"expected one of the keys {', '.join(GRAMMARS)}, {got}")
    grammars = GRAMMARS[kinds[0]]
    for key in values:
        if key not in grammars:
            raise wrong(path, values[key], name, f"unknown key {brief(key)}; expected {', '.join(grammars)}")
    for key, grammar in grammars.items():
        if key not in values and key not in OPTIONAL:
            raise wrong(path, node, name, f"the key {key} is missing; expected {grammar.expected}")
        if key in values and not (is_scalar(values[key]) and re.fullmatch(grammar.pattern, values[key].value)):
            raise wrong(path, values[key], name, f"{key} is not usable; expected {grammar.expected}")
    texts = {key: value.value.lower() if key in CASELESS else value.value for key, value in values.items()}
    return MAKERS[kinds[0]](**texts | {"install": texts.get("install") != "false"})


def wrong(path: Path, node: "Node", name: str, what: str) -> Exit:
    """The sentence about one place in the file."""
    owner = f" {name}:" if name else ""
    return Exit(f"{path}, line {node.start_mark.line + 1}:{owner} {what}.", code=2)


def describe(pins: Mapping[str, Pin]) -> dict[str, str]:
    """Each pin as one short line, for labels and manifests: the content it stands for, never a password or token."""
    return {name: line(pin) for name, pin in pins.items()}


def line(pin: Pin) -> str:
    """One pin as one short line."""
    end = "" if pin.install else NOT_INSTALLED
    match pin:
        case Pypi():
            return f"pypi {pin.pypi} sha256:{pin.sha256}{end}"
        case Git():
            return f"git {without_credentials(pin.git)} {pin.rev} {pin.path.strip('/')}".rstrip() + end
        case Url():
            return f"url {without_credentials(pin.url)} sha256:{pin.sha256}{end}"


def write_rev(path: Path, name: str, rev: str) -> None:
    """Write another commit id into a git pin. No other character of the file changes, and nobody sees it half written.

    Raises:
        Exit: with code 1, when the file does not hold the pin plainly (a YAML alias, say) or cannot be written.
    """
    content = read_text(path)
    root = parse(path, content)
    node = entries(path, entries(path, root, "")[name], name)["rev"] if root else None
    start = content.find(node.value, node.start_mark.index, node.end_mark.index) if node else -1
    if node is None or start < 0:
        raise Exit(f"{path}: cannot find the rev of {name} to change it. Write {rev} there yourself.", code=1)
    try:
        files.write(path, (content[:start] + rev + content[start + len(node.value) :]).encode())
    except OSError as error:
        raise Exit(f"Cannot write {path}: {error.strerror}.", code=1) from None
