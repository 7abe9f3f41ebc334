"""What stands in a settings file, letter by letter: YAML reads `0.10`, `8022:22` and `on` as something else."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

TEXT, MERGED = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"


def scalar(file: str, keys: Sequence[str]) -> str:
    """The value that these keys lead to, as it is written in the file; "" where it is not found.

    Args:
        keys: such as `["stack", "frames", "visdom", "command[1]"]`.
    """
    node = tree(file)
    for step in (part for key in keys for part in re.findall(r"[^\[\]]+", key)):
        children = getattr(node, "value", None)
        if not isinstance(children, list):
            return ""
        if children and isinstance(children[0], tuple):
            node = next((value for key, value in reversed(children) if key.value == step), None)  # the last one counts
        else:
            node = children[int(step)] if step.isdigit() and int(step) < len(children) else None
    value = getattr(node, "value", None)
    return value if isinstance(value, str) else ""


def odd_keys(file: str) -> Iterator[tuple[str, str]]:
    """The keys of a file that YAML does not read as text, each with the section that it stands in."""
    node = tree(file)
    yield from odd_keys_of(node, "") if node else ()


def odd_keys_of(node: Any, section: str) -> Iterator[tuple[str, str]]:
    if node.id != "mapping":
        return
    for key, value in node.value:
        if key.id != "scalar":
            continue
        if key.tag not in (TEXT, MERGED):
            yield section, key.value
        else:
            yield from odd_keys_of(value, f"{section}.{key.value}".lstrip("."))


def repeated_keys(node: Any) -> Iterator[Any]:
    """The nodes of keys that stand a second time in one section of a YAML file. `node`: of all that it holds."""
    seen, left = set(), [node]  # an alias may lead to what it stands in
    while left:
        node = left.pop()
        if id(node) in seen or node.id == "scalar":
            continue
        seen.add(id(node))
        if node.id == "sequence":
            left += node.value
            continue
        keys = set()
        for key, value in node.value:
            if key.id == "scalar" and key.value in keys:
                yield key
            keys.add(key.value if key.id == "scalar" else None)
            left.append(value)


def tree(file: str) -> Any:
    """A YAML file, or a JSON file, which is YAML too, as a tree of nodes; None for others and unreadable ones."""
    from invoke.vendor.yaml import SafeLoader, YAMLError, compose

    kind = Path(file).suffix
    if kind not in (".yaml", ".yml", ".json"):
        return None
    try:
        text = Path(file).read_text(encoding="utf-8")
        text = text.replace("\t", " ") if kind == ".json" else text  # the only blank that YAML takes for something else
        return compose(text, SafeLoader)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, YAMLError):
        return None
