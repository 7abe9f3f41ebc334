"""Vendored libraries out of git repositories: one commit's files, verified, with nothing of the repository run here."""

import os
import re
import shutil
from pathlib import Path

from ..host.text import brief, without_credentials
from . import archives
from .git_commands import address, git
from .job import Job, Refused
from .pins import Git

POINTER = b"version https://git-lfs.github.com/spec/v1\n"
LONGEST_POINTER = 1024
GITLINK = "160000 "  # the mode of another repository's commit


def commit(pin: Git, job: Job) -> Path:
    """A commit's files with those of its submodules, or one folder of them; verified, without any .git."""
    tree = job.folder / "git"
    tree.mkdir()
    git(pin, job, "init", "--quiet", "--template=", str(tree))
    # By name, so that relative URLs of submodules are understood.
    git(pin, job, "remote", "add", "origin", address(pin))
    job.tell("fetching", 0, 0)
    try:
        git(pin, job, "fetch", "--quiet", "--depth=1", "--no-tags", "origin", pin.rev)
    except Refused:  # not every server hands out a commit by its id: take all, and find it there
        git(pin, job, "fetch", "--quiet", "origin", "+refs/heads/*:refs/heads/all/*", "+refs/tags/*:refs/tags/*")
    try:
        git(pin, job, "checkout", "--quiet", "--detach", pin.rev)
    except Refused as error:
        raise Refused(f"{without_credentials(pin.git)} has no usable commit {pin.rev} ({error})") from None
    got = git(pin, job, "rev-parse", "HEAD").strip()
    if got != pin.rev:
        raise Refused(f"what was fetched is the commit {got}, but the pin says {pin.rev}")
    submodules(pin, job)
    for above, folders, files in os.walk(tree):
        if ".git" in folders:
            folders.remove(".git")
            shutil.rmtree(Path(above, ".git"))
        if ".git" in files:  # a submodule's is a file
            Path(above, ".git").unlink()
    return subfolder(tree, pin)


def submodules(pin: Git, job: Job, folder: str = "") -> None:
    """Fetch the submodules of what is checked out in a folder of the tree, and theirs, as far as the pin is about them.

    Each by its name: this machine's git may be told to leave some out (`submodule.active`).
    """
    wanted = [path for path in known_submodules(pin, job, folder) if overlap(folder + path, pin.path.strip("/"))]
    if not wanted:
        return
    job.tell("fetching submodules", 0, 0)
    update = ("submodule", "--quiet", "update", "--init", "--checkout")
    try:
        git(pin, job, *update, "--depth=1", "--", *wanted, within=folder)
    except Refused:  # as above; what the shallow try left behind would be in the way
        git(pin, job, "submodule", "--quiet", "deinit", "--force", "--all", within=folder)
        modules = git(pin, job, "rev-parse", "--git-path", "modules", within=folder).strip()
        shutil.rmtree(job.folder / "git" / folder / modules, ignore_errors=True)
        git(pin, job, *update, "--", *wanted, within=folder)
    for path in wanted:
        submodules(pin, job, f"{folder}{path}/")


def known_submodules(pin: Git, job: Job, folder: str) -> list[str]:
    """The paths of the repositories in a checked-out one that its .gitmodules names; git itself knows no other."""
    if not (job.folder / "git" / folder / ".gitmodules").is_file():
        return []
    settings = git(pin, job, "config", "--blob", "HEAD:.gitmodules", "-z", "--list", within=folder)
    entries = [entry.partition("\n") for entry in settings.split("\0")]
    named = {path for key, _, path in entries if key.startswith("submodule.") and key.endswith(".path")}
    listing = git(pin, job, "ls-files", "--stage", "-z", within=folder)
    links = [entry.partition("\t")[2] for entry in listing.split("\0") if entry.startswith(GITLINK)]
    return [path for path in links if {path, f"{path}/"} & named]


def overlap(path: str, part: str) -> bool:
    """Whether one of two paths holds the other; "" holds all."""
    return not part or f"{path}/".startswith(f"{part}/") or f"{part}/".startswith(f"{path}/")


def subfolder(tree: Path, pin: Git) -> Path:
    """The part of a checked-out tree that the pin wants, checked."""
    part = tree.joinpath(pin.path.strip("/"))
    if part.resolve() != tree.resolve().joinpath(pin.path.strip("/")) or not part.is_dir():
        raise Refused(f"there is no folder {pin.path} in commit {pin.rev}")
    archives.normalize(part)
    refuse_pointers(part)
    return part


def refuse_pointers(part: Path) -> None:
    """Raise Refused for a file that is only git-lfs's pointer to the real one."""
    for above, _, names in os.walk(part):
        for path in (Path(above, name) for name in names):
            if path.is_symlink() or not len(POINTER) < path.stat().st_size <= LONGEST_POINTER:
                continue
            if path.read_bytes().startswith(POINTER):
                raise Refused(
                    f"{brief(path.relative_to(part))} is a pointer of git-lfs and not the file itself; "
                    "install git-lfs (apt-get install git-lfs), then type the same again"
                )


def newest(pin: Git, to: str, job: Job) -> str:
    """The commit that a pin would move to: `to` (a commit id, branch or tag), or the newest of the pin's branch.

    Raises:
        Refused: when the repository cannot be asked, or has no such branch or tag.
    """
    if re.fullmatch(r"[0-9a-fA-F]{40}", to):
        return to.lower()
    wanted = [f"refs/tags/{to}^{{}}", f"refs/tags/{to}", f"refs/heads/{to}"] if to else ["HEAD"]
    if pin.branch and not to:
        wanted = [f"refs/heads/{pin.branch}"]
    answer = git(pin, job, "ls-remote", "--quiet", address(pin), *wanted)
    found = {ref: rev for rev, _, ref in (row.partition("\t") for row in answer.splitlines())}
    for ref in wanted:
        if ref in found:
            return found[ref]
    short = " (a commit id has 40 digits)" if re.fullmatch(r"[0-9a-fA-F]{4,39}", to) else ""
    raise Refused(f"{without_credentials(pin.git)} has no branch or tag {brief(to or pin.branch or 'HEAD')}{short}")
