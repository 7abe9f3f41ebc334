"""What the base's Dockerfile copies, and so the base holds: vendored libraries, files of the project, of the source."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from invoke import Exit
from msgspec import Struct

from ..host.text import printable
from ..settings.model import ROOT
from ..vendoring.manifest import fingerprint, spelled_out
from .build import Build, build_folder
from .contents import contents, scratch
from .dockerfile import declared
from .export import files, refuse_pointers
from .git import answer
from .ignored import let_through
from .instructions import copied, overlap
from .release import Release
from .submodules import GITLINK
from .this_run import this_release

VENDOR = "vendor"
RELEASE = ("DATE", "VERSION", "URL", "COMMIT", "BRANCH", "TAG")  # arguments that say where an image comes from


class Ingredients(Struct, frozen=True):
    """What a base holds besides its parent.

    `libraries` are pins by name, `files` the project's own files by path, each with its fingerprint, and `of_source`
    those of the source: git's mode and id of each.
    """

    libraries: Mapping[str, str]
    files: Mapping[str, str]
    of_source: Mapping[str, str]


def ingredients(build: Build, file: Path, pins: Mapping[str, str], release: Release | None) -> Ingredients:
    """What the base's Dockerfile copies of its context.

    Raises:
        Exit: with code 2 when base.files names what the source does not have.
    """
    paths = copied(file)
    of_source = source_files(build, release) if release and build.settings.base.files else {}
    return Ingredients(
        {name: pin for name, pin in pins.items() if reached(f"{VENDOR}/{name}", paths)},
        project_files(file, paths, pins),
        {path: facts for path, facts in of_source.items() if reached(path, paths)},
    )


def release_for_base(build: Build, file: Path) -> Release | None:
    """The source's release where the base needs it: for its files, or because its Dockerfile declares what it says.

    Raises:
        Exit: with code 1 when the source cannot be built from.
    """
    settings = build.settings
    if not settings.base.files and not declared(file, dict.fromkeys(RELEASE, "")):
        return None
    return this_release(build.c, settings.path(settings.source), settings.series, "stack.source")


def reached(path: str, paths: Sequence[str]) -> bool:
    return any(overlap(path, one) for one in paths)


def project_files(file: Path, paths: Sequence[str], pins: Mapping[str, str]) -> dict[str, str]:
    """The project's files that are copied, without the vendored libraries, which their pins stand for."""
    if all(path and overlap(path, VENDOR) for path in paths):  # where fetch-vendor lets nothing lie without a pin
        return {}
    found = sorted(let_through(ROOT, file, [f"{VENDOR}/{name}" for name in pins]))
    return {spelled_out(path): mark(ROOT / path) for path in found if any(inside(path, one) for one in paths)}


def inside(path: str, folder: str) -> bool:
    return not folder or f"{path}/".startswith(f"{folder}/")


def mark(path: Path) -> str:
    """What a file is in an image: its content, and whether it may be run."""
    mode = path.lstat().st_mode
    return f"{mode & 0o111:o} {fingerprint(path, mode)}"


def source_files(build: Build, release: Release) -> dict[str, str]:
    """The files of the source that base.files names, at HEAD: git's mode and id by path; of a submodule, its own.

    Raises:
        Exit: with code 2 when it names what is not there, or what stands in the place of vendor/.
    """
    settings = build.settings
    source = settings.path(settings.source)
    above = answer(build.c, source, "rev-parse", "--show-prefix")
    found: dict[str, str] = {}
    for path in settings.base.files:
        name = "/".join(part for part in path.split("/") if part not in ("", "."))
        if not name or path.startswith("/") or ".." in name.split("/") or overlap(name, VENDOR):
            raise Exit(f"Setting stack.base.files: {printable(path)} is no path in the source beside vendor/.", code=2)
        question = ("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", release.revision, "--", above + name)
        listing = answer(build.c, source, *question, env={"GIT_LITERAL_PATHSPECS": "1"})
        entries = [entry.partition("\t") for entry in listing.split("\0") if entry]
        if not entries and (submodule := submodule_above(build, release, above + name)):
            entries = [(submodule, "\t", above + name)]
        if not entries:
            where = f"commit {release.commit} of {source}"
            raise Exit(f"Setting stack.base.files: there is no {printable(path)} in {where}. Commit it.", code=2)
        found |= {full.removeprefix(above): details for details, _, full in entries}
    return found


def submodule_above(build: Build, release: Release, path: str) -> str:
    """Git's mode and id of the submodule that a path leads into; "" where it leads into none."""
    parts = path.split("/")
    above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
    source = build.settings.path(build.settings.source)
    question = ("ls-tree", "-z", "--full-tree", "--end-of-options", release.revision, "--", *above)
    listing = answer(build.c, source, *question, env={"GIT_LITERAL_PATHSPECS": "1"}) if above else ""
    return next((entry.partition("\t")[0] for entry in listing.split("\0") if entry.startswith(GITLINK)), "")


@contextmanager
def base_context(build: Build, file: Path, release: Release | None) -> Iterator[Path]:
    """The base's build context: the project's folder, or, with base.files, a folder of its files and the source's.

    Raises:
        Exit: with code 1 when the files cannot be written.
    """
    if not build.settings.base.files:
        yield ROOT
        return
    target = build_folder(build.settings.base.image)
    if build.dry or release is None:
        yield target
        return
    shutil.rmtree(target, ignore_errors=True)  # a killed build may have left one
    try:
        target.mkdir()
        for path in let_through(ROOT, file) - {".dockerignore"}:  # it left out what is not the project's to give
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            put(ROOT / path, target / path)
        bring_source_files(build, release, target)
        yield target
    finally:
        shutil.rmtree(target, ignore_errors=True)


def put(file: Path, target: Path) -> None:
    """Give a file a second place: by a hard link where that can be."""
    try:
        os.link(file, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(file, target, follow_symlinks=False)


def bring_source_files(build: Build, release: Release, target: Path) -> None:
    """Write the files of the source that base.files names, as they are at HEAD.

    Raises:
        Exit: with code 1 for an LFS pointer, or when git cannot write them; 2 when a submodule does not have one.
    """
    source = build.settings.path(build.settings.source)
    with scratch() as folder:
        whole, picked = folder / "source", folder / "picked"
        contents(build.c, source, release.revision, folder, whole)
        for path, facts in source_files(build, release).items():
            if not os.path.lexists(whole / path):
                if os.path.lexists(picked / path) or path in release.left_out:
                    continue
                what = f"{printable(path)} is not in the submodule {facts.split()[2][:7]} of {source}"
                raise Exit(f"Setting stack.base.files: {what}, or git does not check that out.", code=2)
            (picked / path).parent.mkdir(parents=True, exist_ok=True)
            (whole / path).replace(picked / path)
        for file in files(picked):
            (target / file.relative_to(picked)).unlink(missing_ok=True)
        refuse_pointers(picked, source)
        shutil.copytree(picked, target, symlinks=True, dirs_exist_ok=True)
