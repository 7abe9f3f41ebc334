"""A checkout's files, written elsewhere: byte for byte the same on every machine, whatever its git is set to."""

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from invoke import Exit

from ..host.shell import ask
from .checkout import Checkout
from .git import PLAIN, reason

# What people set for their own working trees, and what this machine alone says of files.
SETTINGS = {
    "core.autocrlf": "false",
    "core.eol": "lf",
    "core.safecrlf": "false",
    "core.symlinks": "true",
    "core.fileMode": "true",
    "core.ignoreCase": "false",
    "core.sparseCheckout": "false",
    "core.attributesFile": "/dev/null",
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
}
# git-lfs, however it was installed; where it cannot bring a file, a pointer is written, and refused.
LFS = {
    "filter.lfs.smudge": "git-lfs smudge -- %f",
    "filter.lfs.process": "git-lfs filter-process",
    "filter.lfs.required": "false",
    "lfs.fetchinclude": "",
    "lfs.fetchexclude": "",
}
NO_FILTER = {"smudge": "", "process": "", "required": "false"}
ENVIRONMENT = {"GIT_ATTR_NOSYSTEM": "1", "GIT_LFS_SKIP_SMUDGE": "0"}
POINTER = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
LONGEST = 1024  # bytes of a pointer (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md)


def write_files(checkout: Checkout, revision: str, tree: str, target: Path) -> None:
    """Write all files of a tree into `target`, as a checkout does (.gitattributes, LFS) and `git archive` does not.

    Args:
        revision: the commit whose .gitattributes count that stand above the tree.

    Raises:
        Exit: with code 1 and git's own reason.
    """
    prefix = checkout.prefix
    whole = target.with_name(f"{target.name}.whole") if prefix else target  # attributes go by paths from the top
    index = checkout.environment["GIT_INDEX_FILE"] + ".out"
    inside = {**PLAIN, **checkout.environment, **ENVIRONMENT, "GIT_WORK_TREE": str(whole), "GIT_INDEX_FILE": index}
    inside["GIT_DIR"] = str(without_own_attributes(checkout, Path(f"{index}.git")))
    missing = {} if shutil.which("git-lfs") else {"filter.lfs.process": ""}  # it would end git, and not fail
    settings = {**SETTINGS, **own_filters(checkout, inside), **LFS, **missing}
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    steps = [["read-tree", *([f"--prefix={prefix}"] if prefix else []), tree]]
    steps += [["update-index", "--add", "--cacheinfo", entry] for entry in attributes_above(checkout, revision)]
    steps += [["checkout-index", "--all", "--force"]]
    former = os.umask(0o022)  # the modes go into the image: they must not depend on who builds
    try:
        if prefix:
            shutil.rmtree(whole, ignore_errors=True)  # a killed build may have left one
        (whole / prefix).mkdir(parents=True, exist_ok=True)
        for step in steps:
            done = ask(checkout.c, ["git", "-C", str(whole), *options, *step], env=inside)
            if not done.ok:
                said = f"git could not write the files of {checkout.folder}: {reason(done.stderr)}"
                raise Exit(f"{said}. See: git -C {checkout.folder} status", code=1)
        if prefix:
            (whole / prefix).replace(target)
    finally:
        os.umask(former)
        if prefix:
            shutil.rmtree(whole, ignore_errors=True)


def own_filters(checkout: Checkout, environment: Mapping[str, str | None]) -> dict[str, str]:
    """The settings that switch off the filters of this machine's git: on another, git writes what was committed."""
    asked = ["git", "config", "--null", "--name-only", "--get-regexp", r"^filter\."]
    known = ask(checkout.c, asked, env={**environment}).stdout  # of all files that the checkout itself will read
    names = {key.removeprefix("filter.").rpartition(".")[0] for key in known.split("\0") if key}
    return {f"filter.{name}.{key}": value for name in sorted(names) for key, value in NO_FILTER.items()}


def without_own_attributes(checkout: Checkout, folder: Path) -> Path:
    """The repository's git folder by links, but for `info`: no other clone has the attributes that it may hold."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in checkout.common.iterdir():
        if path.name not in ("info", "HEAD", "index"):
            (folder / path.name).symlink_to(path)
    own = Path(checkout.environment["GIT_DIR"])  # of a worktree that was added, its own part
    (folder / "HEAD").write_bytes((own / "HEAD").read_bytes())
    if own != checkout.common and (own / "config.worktree").exists():
        (folder / "config.worktree").unlink(missing_ok=True)
        (folder / "config.worktree").symlink_to(own / "config.worktree")
    return folder


def attributes_above(checkout: Checkout, revision: str) -> list[str]:
    """The .gitattributes of the folders above the checkout's, each as `git update-index --cacheinfo` takes it."""
    folders = checkout.prefix.split("/")[:-1]
    paths = ["/".join([*folders[:depth], ".gitattributes"]) for depth in range(len(folders))]
    if not paths:
        return []
    listing = checkout.answer("ls-tree", "--full-tree", "-z", "--end-of-options", revision, "--", *paths)
    entries = (entry.partition("\t") for entry in listing.split("\0") if entry)
    return [f"{mode},{blob},{path}" for details, _, path in entries for mode, _, blob in [details.split()]]


def refuse_pointers(written: Path, source: Path) -> None:
    """Refuse files of which git has only the pointer that git-lfs stores in their place.

    Raises:
        Exit: with code 1, naming the first one.
    """
    found = sorted(path.relative_to(written) for path in files(written) if is_pointer(path))
    if found:
        others = f" and {len(found) - 1} more are LFS pointers" if found[1:] else " is an LFS pointer"
        repository = next((source / above for above in found[0].parents if (source / above / ".git").exists()), source)
        way = (
            f"Type: {shlex.join(['git', '-C', str(repository), 'lfs', 'pull'])} (package git-lfs), then the same again."
        )
        raise Exit(f"{spelled(found[0])}{others} in {source}: the content itself is not here. {way}", code=1)


def is_pointer(file: Path) -> bool:
    if file.is_symlink() or file.stat().st_size > LONGEST:
        return False
    content = file.read_bytes()
    return content.startswith(POINTER) and b"oid sha256:" in content


def files(folder: Path) -> Iterator[Path]:
    """All files and links below a folder; links are not followed."""
    for above, _, names in os.walk(folder):
        yield from (Path(above, name) for name in names)


def odd_names(folder: Path) -> list[str]:
    """The names below a folder that are not UTF-8, spelled out."""
    found = []
    for above, folders, names in os.walk(folder):
        paths = (Path(above, name).relative_to(folder) for name in (*folders, *names))
        found += [spelled(path) for path in paths if not spelled_as_it_is(path)]
    return sorted(found)


def spelled(path: Path) -> str:
    """A path as text: bytes that are not UTF-8 are spelled out, as in `caf\\xe9`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def spelled_as_it_is(path: Path) -> bool:
    try:
        os.fsencode(path).decode()
    except UnicodeDecodeError:
        return False
    return True
