"""What `base` and `frame` have in common: a build that may fail without losing the former image."""

import codecs
import fcntl
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from invoke import Context, Exit

from ..engine import commands, label
from ..engine.engine import Engine
from ..host.shell import run
from ..settings.model import ROOT

BUILDS = ROOT / ".build"  # exported contexts and locks; never committed


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
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    text = re.sub(r"^[ \t]*#.*\n", "", text, flags=re.MULTILINE)  # a comment does not end a line that goes on
    text = re.sub(r"\\[ \t]*\n", " ", text)
    lines = re.findall(r"^[ \t]*ARG[ \t]+(.+)$", text, re.MULTILINE | re.IGNORECASE)
    names = {word.partition("=")[0] for line in lines for word in line.split()}
    return {name: value for name, value in args.items() if name in names}


def build(
    c: Context, engine: Engine, reference: str, path: Path, context: Path, args: Mapping[str, str],
    labels: Mapping[str, str], options: Sequence[str],
) -> None:  # fmt: skip
    """Build an image. Docker moves the tag only after the last step: a failed build leaves the former image.

    Raises:
        Exit: with code 1 when the build fails.
    """
    file = Path(f"{place(reference.rpartition(':')[0])}.Dockerfile")
    text = stamped(path.read_bytes(), labels, options)
    failed = f"The build of {reference} failed; the lines above say why. An earlier image of that name stays."
    # An attestation would make the image an index, with another id
    # (https://docs.docker.com/build/metadata/attestations/).
    env = {**engine.environment, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    if text:
        with written(c, file, text, path):
            run(c, commands.build(reference, file, context, args, {}, options), failed, env)
        if c.config.run.dry or not (made := engine.image(reference)) or bears(made.labels, labels):
            return
        print(f"{path} swallowed the labels at its end; building again with flags.", flush=True)
    run(c, commands.build(reference, path, context, args, labels, options), failed, env)


def bears(made: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether an image has these labels; a build option may have given one another value, but not the inputs."""
    return labels.keys() <= made.keys() and made.get(label.INPUTS) == labels.get(label.INPUTS)


@contextmanager
def written(c: Context, file: Path, text: bytes, original: Path) -> Iterator[None]:
    """A Dockerfile while the build needs it, with what BuildKit looks for beside the original."""
    if c.config.run.dry:
        yield
        return
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


def place(image: str) -> Path:
    """Where an image's context is put together. It depends on the name alone: `--dry` prints the same command.

    docker takes a path that .dockerignore leaves out for a regular expression, in which = means nothing.
    """
    return BUILDS / image.replace("/", "=")


@contextmanager
def one_at_a_time(c: Context, image: str) -> Iterator[None]:
    """Let one build of an image, whatever its tag, run at a time on this machine; the next one waits for it.

    Raises:
        Exit: with code 1 when the lock cannot be made, because another user made the folder.
    """
    if c.config.run.dry:
        yield
        return
    try:
        BUILDS.mkdir(exist_ok=True)
        file = Path(f"{place(image)}.lock").open("w")  # noqa: SIM115
    except OSError as error:
        way = " Build as the user who owns it, or remove it." if isinstance(error, PermissionError) else ""
        raise Exit(f"{BUILDS} cannot be used: {error.strerror}.{way}", code=1) from None
    with file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another build of {image} is running here; waiting for it.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
