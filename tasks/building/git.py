"""What git says of the source: a `Release`, and the exact content that a frame is built from."""

import json
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from invoke import Context, Exit
from msgspec import Struct

from ..host.git_environment import OF_ANOTHER_REPOSITORY
from ..host.shell import ask
from ..host.text import without_credentials

# English messages; and a question must not write into the source's index (`git status` likes to).
PLAIN: dict[str, str | None] = {**dict.fromkeys(OF_ANOTHER_REPOSITORY), "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
SUBMODULE = "160000"
CONFLICTS = ("DD", "AU", "UD", "UA", "DU", "AA", "UU")


class Release(Struct, frozen=True):
    """What git says of the source at this moment.

    `date` is UTC, as 2019-08-30T14:46:20Z. `commit` is the first 7 characters of `revision`. `tree` is the content
    that would be built, by hash: git's own tree id, or a hash over those of dirty submodules too. `untracked` and
    `ignored` count the files and folders that lie about and are not in a frame.
    """

    date: str
    version: str
    url: str
    commit: str
    branch: str
    tag: str
    revision: str
    tree: str
    dirty: bool
    untracked: int
    ignored: int


def git(c: Context, where: Path, *arguments: str, env: dict[str, str] | None = None) -> str | None:
    """What `git -C where arguments…` prints, without the last newline; None if it fails."""
    result = ask(c, ["git", "-C", str(where), *arguments], env={**PLAIN, **(env or {})})
    return result.stdout.rstrip("\n") if result.ok else None


def release(c: Context, source: Path, series: str) -> Release:
    """Ask git about the source.

    Raises:
        Exit: with code 1 when the source is no git checkout, is shallow, lacks a commit or submodule, or has conflicts.
    """
    revision, branch = head(c, source)
    states = status(c, source)
    dirty = any(state not in ("??", "!!") for state in states)
    commits = git(c, source, "rev-list", "--count", "HEAD")
    with scratch() as folder:
        tree = contents(c, source, "" if dirty else "HEAD", folder)[0]
    return Release(
        date=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        version=git(c, source, "describe", "--tags", "--always") or revision[:7],
        url=without_credentials(git(c, source, "config", "--get", "remote.origin.url") or ""),
        commit=revision[:7],
        branch=branch,
        tag=f"{series}.{commits}",
        revision=revision,
        tree=tree,
        dirty=dirty,
        untracked=states.count("??"),
        ignored=states.count("!!"),
    )


def status(c: Context, source: Path) -> list[str]:
    """Git's two letters for each file or folder that is not as in HEAD: `??` untracked, `!!` ignored, others changed.

    Raises:
        Exit: with code 1 for a merge with conflicts, or when git cannot tell.
    """
    options = ("--ignore-submodules=untracked", "--untracked-files=normal", "--ignored=traditional", "--no-renames")
    entries = git(c, source, "status", "--porcelain", "-z", *options, "--", ".")
    if entries is None:
        raise Exit(f"git cannot tell what changed in {source}. See: git -C {source} status", code=1)
    states = [entry[:2] for entry in entries.split("\0") if entry]
    if any(state in CONFLICTS for state in states):
        raise Exit(f"{source} has conflicts that nobody resolved. See: git -C {source} status", code=1)
    return states


def head(c: Context, source: Path) -> tuple[str, str]:
    """HEAD's full commit id and its branch (`HEAD` if it is detached).

    Raises:
        Exit: with code 1 when there is none, or the number of commits below it would mean nothing.
    """
    setting = "It is the setting stack.source."
    if not source.is_dir():
        raise Exit(f"There is no folder {source}. {setting} Clone the framework there, or change it.", code=1)
    questions = ("--is-inside-work-tree", "--is-shallow-repository", "HEAD^{commit}", "--abbrev-ref", "HEAD")
    probe = ask(c, ["git", "-C", str(source), "rev-parse", *questions], env=PLAIN)
    if probe.exited == 127:
        raise Exit("git is not installed. Type: apt-get install git", code=1)
    if "dubious ownership" in probe.stderr:
        named = re.search("dubious ownership in repository at '(.*)'", probe.stderr)  # its top may lie above
        top = named[1] if named else str(source)
        raise Exit(
            f"git refuses {top}, which belongs to another user. "
            f"Type: {shlex.join(['git', 'config', '--global', '--add', 'safe.directory', top])}",
            code=1,
        )
    inside, shallow, revision, branch, *_ = [*probe.stdout.split("\n"), "", "", "", ""]  # as far as it came
    if inside != "true":
        raise Exit(f"{source} is not a git checkout. {setting} Clone the framework there, or change it.", code=1)
    if not probe.ok:
        raise Exit(f"{source} has no commit yet. Commit something, then type the same again.", code=1)
    if shallow == "true":
        raise Exit(
            f"{source} is a shallow clone: its number of commits, and so the tag, would be wrong. "
            f"Type: git -C {source} fetch --unshallow",
            code=1,
        )
    return revision, branch


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for git's temporary indexes and objects, so that nothing is written into the source's own."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="inv-git-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def contents(c: Context, where: Path, revision: str, folder: Path, target: Path | None = None) -> tuple[str, bool]:
    """The content of a checkout (or of a folder in one), submodules included, and optionally the files themselves.

    Args:
        revision: a commit; or "" for what git tracks, as it stands in the working tree.
        folder: for temporary files; may be used for several calls.
        target: where to write the files, or None for the hash alone.

    Returns:
        The content's hash, and whether it stands in the repository (and is not only in the working tree).

    Raises:
        Exit: with code 1 for a submodule that is not checked out, or a merge that is not finished.
    """
    places = ("--show-prefix", "--absolute-git-dir", "--git-path", "objects", "--git-path", "index")
    said = git(c, where, "rev-parse", *places, f"{revision or 'HEAD'}:./")
    if said is None:
        raise Exit(f"git tracks nothing in {where} at HEAD. Commit the framework's files there.", code=1)
    if said.count("\n") != 4:  # between five answers
        raise Exit(f"The path {str(where)!r} holds a line break, which git cannot spell. Move it.", code=1)
    prefix, gitdir, objects, index, tree = said.split("\n")
    env = own_index(where, folder, gitdir, objects, index)
    head = tree
    if not revision:
        tree = working_tree(c, where, prefix, env)
    hashes = [tree]
    clean = tree == head
    if target:
        write(c, where, revision or "HEAD", prefix, tree, env, target)
    for path, commit in submodules(c, where, tree, env):
        inner = where / path
        checked_out = git(c, inner, "rev-parse", "--show-prefix") == ""
        if not checked_out or git(c, inner, "cat-file", "-e", f"{commit}^{{commit}}") is None:
            raise Exit(
                f"Submodule {path} of {where} is not checked out at {commit[:7]}. "
                f"Type: git -C {where} submodule update --init --recursive",
                code=1,
            )
        found, stands = contents(c, inner, commit if revision else "", folder, target / path if target else None)
        if not stands:
            clean = False
            hashes.append(f"{path}\0{found}")
    if len(hashes) == 1:
        return tree, clean
    import hashlib

    return hashlib.sha1("\0".join(hashes).encode()).hexdigest(), clean


def own_index(where: Path, folder: Path, gitdir: str, objects: str, index: str) -> dict[str, str]:
    """An environment in which git reads this repository and writes index and objects elsewhere, below `folder`.

    Args:
        gitdir, objects, index: their paths, as git says them in `where`.
    """
    from tempfile import mkdtemp

    own = Path(mkdtemp(dir=folder))
    quoted = json.dumps(str((where / objects).resolve()), ensure_ascii=False)  # a ":" in it would divide it
    (own / "objects").mkdir()
    if (where / index).exists():
        (own / "index").write_bytes((where / index).read_bytes())
    return {
        "GIT_DIR": gitdir,
        "GIT_INDEX_FILE": str(own / "index"),
        "GIT_OBJECT_DIRECTORY": str(own / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": quoted,
    }


def working_tree(c: Context, where: Path, prefix: str, env: dict[str, str]) -> str:
    """The tree id of what git tracks below `where`, as it stands in the working tree."""
    top = git(c, where, "rev-parse", "--show-toplevel") or str(where)
    inside = {**env, "GIT_WORK_TREE": top, "GIT_LITERAL_PATHSPECS": "1"}
    added = git(c, Path(top), "add", "--update", "--", prefix or ".", env=inside)
    tree = git(c, Path(top), "write-tree", *([f"--prefix={prefix}"] if prefix else []), env=inside)
    if added is None or tree is None:
        raise Exit(f"git cannot write down the state of {where}. See: git -C {where} status", code=1)
    return tree


def submodules(c: Context, where: Path, tree: str, env: dict[str, str]) -> list[tuple[str, str]]:
    """Path and commit of each submodule in a tree."""
    listing = git(c, where, "ls-tree", "--full-tree", "-r", "-z", tree, env=env) or ""
    entries = (entry.partition("\t") for entry in listing.split("\0") if entry.startswith(SUBMODULE))
    return [(path, details.split()[2]) for details, _, path in entries]


def write(
    c: Context, where: Path, revision: str, prefix: str, tree: str, env: dict[str, str], target: Path
) -> None:  # fmt: skip
    """Write all files of a tree into `target`, as a checkout does (line endings, LFS) and `git archive` does not.

    Args:
        revision: the commit whose .gitattributes count that stand above the tree.
        prefix: where the tree stands in the repository: "", or a path that ends with a slash.
    """
    whole = target.with_name(f"{target.name}.whole") if prefix else target  # attributes go by paths from the top
    inside = {**env, "GIT_WORK_TREE": str(whole), "GIT_INDEX_FILE": env["GIT_INDEX_FILE"] + ".out"}
    above = attributes_above(c, where, revision, prefix)
    steps = [["read-tree", *([f"--prefix={prefix}"] if prefix else []), tree]]
    steps += [["update-index", "--add", "--cacheinfo", entry] for entry in above]
    steps += [["checkout-index", "--all", "--force"]]
    former = os.umask(0o022)  # the modes go into the image: they must not depend on who builds
    try:
        if prefix:
            clear(whole)  # a killed build may have left one
        (whole / prefix).mkdir(parents=True, exist_ok=True)
        for step in steps:
            done = ask(c, ["git", "-C", str(whole), *step], env={**PLAIN, **inside})
            if not done.ok:
                reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
                raise Exit(f"git could not write the files of {where}: {reason}", code=1)
        if prefix:
            (whole / prefix).replace(target)
    finally:
        os.umask(former)
        if prefix:
            clear(whole)


def clear(folder: Path) -> None:
    """Remove a folder, if it is there."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def attributes_above(c: Context, where: Path, revision: str, prefix: str) -> list[str]:
    """The .gitattributes of the folders above a prefix, each as `git update-index --cacheinfo` takes it."""
    folders = prefix.split("/")[:-1]
    paths = ["/".join([*folders[:depth], ".gitattributes"]) for depth in range(len(folders))]
    if not paths:
        return []
    listing = git(c, where, "ls-tree", "--full-tree", "-z", revision, "--", *paths) or ""
    entries = (entry.partition("\t") for entry in listing.split("\0") if entry)
    return [f"{mode},{blob},{path}" for details, _, path in entries for mode, _, blob in [details.split()]]
