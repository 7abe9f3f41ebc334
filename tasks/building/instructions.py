"""Reading a Dockerfile: its instructions, what it copies from the context, and which images it stands on.

Source: https://docs.docker.com/reference/dockerfile/
"""

import json
import os
import re
import shlex
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from invoke import Exit
from msgspec import Struct

from ..engine.names import full_reference


class Instruction(Struct, frozen=True):
    """One instruction: its keyword in capitals, and the rest of it in one line."""

    keyword: str
    rest: str


class Standing(Struct, frozen=True):
    """The images that a Dockerfile names: what the image in the end stands on, and all of them.

    `root` is "" where it cannot be told.
    """

    root: str
    images: tuple[str, ...]

    def stands_on(self, image: str) -> bool:
        """Whether the image stands on this one, as far as can be told; so it is taken for where it cannot."""
        return not self.root or same(self.root, image)

    def names(self, image: str) -> bool:
        """Whether this image is needed for the build."""
        return not self.root or any(same(found, image) for found in self.images)


def same(one: str, other: str) -> bool:
    """Whether two references mean one image."""
    return full_reference(one) == full_reference(other)


def instructions(file: Path) -> list[Instruction]:
    """The instructions of a Dockerfile.

    Raises:
        Exit: with code 1 when it cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise Exit(f"The Dockerfile {file} cannot be read: {error.strerror}.", code=1) from None
    directive = re.match(r"(?:#[ \t]*\w+[ \t]*=.*\n)*?#[ \t]*escape[ \t]*=[ \t]*(\S)", text, re.IGNORECASE)
    escape = directive[1] if directive else "\\"
    found: list[Instruction] = []
    lines = deque(text.splitlines())
    while lines:
        keyword, _, rest = joined(lines, escape).strip().replace("\t", " ").partition(" ")
        if not keyword:
            continue
        found.append(Instruction(keyword.upper(), rest.strip()))
        if keyword.upper() in ("RUN", "COPY", "ADD"):
            for mark in re.findall(r"<<-?[\"']?([A-Za-z_]\w*)[\"']?", rest):
                skip_to(lines, mark)
    return found


def joined(lines: deque[str], escape: str) -> str:
    """The next line with those that go on with it; comments and empty lines between them end nothing."""
    whole = ""
    while lines:
        line = lines.popleft()
        if line.lstrip().startswith("#"):
            if not whole:
                return ""
        elif line.rstrip().endswith(escape):
            whole += line.rstrip().removesuffix(escape)
        elif line.strip() or not whole.strip():
            return whole + line
    return whole


def skip_to(lines: deque[str], mark: str) -> None:
    """Skip a text that stands in the Dockerfile itself, up to the line that ends it; nothing where none does."""
    for number, line in enumerate(lines):
        if line.strip("\t") == mark:
            for _ in range(number + 1):
                lines.popleft()
            return


def words_of(text: str) -> list[str]:
    """Words as a shell divides them; at blanks where quotes do not match."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def sets_label(file: Path, name: str, options: Sequence[str]) -> bool:
    """Whether a Dockerfile, or the build's options, set a label."""
    texts = [one.rest for one in instructions(file) if one.keyword == "LABEL"]
    return any(name in text for text in (*texts, *options))


def copied(file: Path) -> list[str]:
    """The paths in the build context that a Dockerfile copies from, "" for all of it; a pattern's fixed beginning."""
    found: list[str] = []
    for one in instructions(file):
        keyword, rest = one.keyword, one.rest
        if keyword == "ONBUILD":
            continue  # of the context of another build
        if keyword in ("COPY", "ADD"):
            options = [word for word in rest.split() if word.startswith("--")]
            text = re.sub(r"^(--\S+\s+)+", "", rest)
            if not any(word.startswith("--from=") for word in options):
                found += [source for source in operands(text)[:-1] if "://" not in source and "<<" not in source]
        elif keyword == "RUN":
            for mount in re.findall(r"--mount=(\S+)", rest):
                values = dict(pair.partition("=")[::2] for pair in mount.split(","))
                if values.get("type", "bind") == "bind" and "from" not in values:
                    found.append(values.get("source") or values.get("src") or "")
    return [fixed(path) for path in found]


def operands(text: str) -> list[str]:
    """The paths of a COPY, in either of its forms."""
    if text.startswith("["):
        try:
            return [str(word) for word in json.loads(text)]
        except ValueError:
            pass
    return words_of(text)


def fixed(path: str) -> str:
    """A path from the context's top without `.` and slashes around it, up to its first part that is no plain name."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for number, part in enumerate(parts):
        if re.search(r"[*?\[\]$\\]|^\.\.$", part):
            return "/".join(parts[:number])
    return "/".join(parts)


def overlap(one: str, other: str) -> bool:
    """Whether one of two such paths lies in the other, or they are the same."""
    return not one or not other or f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def standing(file: Path, args: Mapping[str, str], options: Sequence[str]) -> Standing:
    """What a Dockerfile's image stands on, with these build arguments and options of `docker build`."""
    given, contexts, target, elsewhere = told(options)
    known: dict[str, str] = {}
    roots: dict[str, str] = {}  # by the stage's name and number
    images: list[str] = []
    last = ""
    for one in instructions(file):
        if one.keyword == "ARG" and not roots:
            for word in words_of(one.rest):
                name, _, default = word.partition("=")
                known[name] = {**args, **given}.get(name, filled(default, known))
        elif one.keyword == "FROM":
            words = [word for word in filled(one.rest, known).split() if not word.startswith("--")]
            image = words[0] if words else ""
            last = roots.get(image.lower(), image)
            images.append(last)
            for name in (str(len(images) - 1), *(words[2:3] if len(words) > 2 else ())):
                roots[name.lower()] = last
        elif found := re.search(r"--from=(\S+)", one.rest) if one.keyword in ("COPY", "ADD") else None:
            images += [found[1]] if found[1].lower() not in roots else []
        elif one.keyword == "RUN":
            mounts = re.findall(r"--mount=\S*\bfrom=([^\s,]+)", one.rest)
            images += [image for image in mounts if image.lower() not in roots]
    root = roots.get(target.lower(), "") if target else last
    unsure = elsewhere or "$" in root or root.lower() in contexts
    no_images = ("", "scratch", *contexts)
    outside = dict.fromkeys(image for image in images if image.lower() not in no_images and "$" not in image)
    return Standing("" if unsure else root, tuple(outside))


def told(options: Sequence[str]) -> tuple[dict[str, str], list[str], str, bool]:
    """What options of `docker build` say: build arguments, names of contexts, which stage, whether another file."""
    given: dict[str, str] = {}
    contexts: list[str] = []
    target, elsewhere = "", False
    for option, following in pairwise([*options, ""]):
        name, equals, value = option.partition("=")
        value = value if equals else following
        if name == "--build-arg":
            key, _, said = value.partition("=")
            given[key] = said if "=" in value else os.environ.get(key, "")
        elif name == "--build-context":
            contexts.append(value.partition("=")[0].lower())
        elif name == "--target":
            target = value
        elif re.match("--file$|-[A-Za-z]*f", name):
            elsewhere = True
    return given, contexts, target, elsewhere


def filled(text: str, known: Mapping[str, str]) -> str:
    """A text with its variables replaced, as FROM knows them."""

    def value(match: re.Match[str]) -> str:
        name, kind, other = match[1] or match[2], match[3], match[4] or ""
        if name not in known and not kind:
            return match[0]  # such as $TARGETARCH, which the builder knows
        found = known.get(name, "")
        if kind == ":-":
            return found or other
        if kind == ":+":
            return other if found else ""
        return found

    return re.sub(r"\$(?:(\w+)|\{(\w+)(?:(:[-+])([^}]*))?\})", value, text)
