"""Dockerfiles: the arguments that one declares, and one with the labels at its end."""

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from invoke import Exit

from .instructions import instructions


def dockerfile(path: Path, setting: str) -> Path:
    """A Dockerfile that is there; `setting` names it.

    Raises:
        Exit: with code 2 when it is not.
    """
    if not path.is_file():
        raise Exit(f"There is no Dockerfile {path}. It is the setting {setting}.", code=2)
    return path


def declared(path: Path, args: Mapping[str, str]) -> dict[str, str]:
    """The arguments that a Dockerfile declares with `ARG`: docker warns of every other."""
    lines = [one.rest for one in instructions(path) if one.keyword == "ARG"]
    names = {word.partition("=")[0] for line in lines for word in line.split()}
    return {name: value for name, value in args.items() if name in names}


def stamped(dockerfile: bytes, labels: Mapping[str, str], options: Sequence[str]) -> bytes:
    """A Dockerfile with one more instruction, which sets the labels.

    The builder without BuildKit takes a step of a tenth of a second for each `--label`, and one for this in all.

    Returns:
        The new text; b"" where the labels have to be flags: one cannot be written down so, or the last line of the file
        is not the last of what is built.
    """
    lines = [line.strip() for line in dockerfile.removeprefix(codecs.BOM_UTF8).splitlines()]
    escaped = any(re.match(rb"#[ \t]*escape[ \t]*=", line, re.IGNORECASE) for line in lines)
    last = next((line for line in reversed(lines) if line and not line.startswith(b"#")), b"")  # comments end nothing
    elsewhere = any(re.match("--(file|target)(=|$)|-[A-Za-z]*f", option) for option in options)
    unwritten = any(not f"{key}{value}".isprintable() for key, value in labels.items())
    if not labels or escaped or elsewhere or unwritten or last.endswith(b"\\"):
        return b""
    values = {key: re.sub(r'([\\"$])', r"\\\1", value) for key, value in labels.items()}
    added = " \\\n      ".join(f'{key}="{value}"' for key, value in values.items())
    return dockerfile + f"\n\n# Added by inv.\nLABEL {added}\n".encode()


@contextmanager
def written(file: Path, text: bytes, original: Path) -> Iterator[None]:
    """A Dockerfile while the build needs it, with what BuildKit looks for beside the original."""
    theirs, ours = (Path(f"{path}.dockerignore") for path in (original, file))
    try:
        file.write_bytes(text)
        ours.unlink(missing_ok=True)  # a killed build may have left one
        if theirs.is_file():
            ours.write_bytes(theirs.read_bytes())
        yield
    finally:
        file.unlink(missing_ok=True)
        ours.unlink(missing_ok=True)
