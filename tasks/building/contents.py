"""The exact content of a checkout, submodules included: its hash, and its files written elsewhere.

Nothing is written into the repository: git keeps its index and new objects in a folder of our own.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from invoke import Context, Exit
from msgspec import Struct

from ..host.shell import ask
from .git import PLAIN, git

SUBMODULE = "160000"  # the mode of one in a tree


class Content(Struct, frozen=True):
    """A content by its hash, and whether it stands in the repository, not only in the working tree.

    The hash is git's own tree id, or one over those of dirty submodules too.
    """

    hash: str
    committed: bool


class Checkout(Struct, frozen=True):
    """A repository's working tree, or a folder in one.

    `prefix` is where the folder stands: "", or a path that ends with a slash. `tree` is the id of its committed tree.
    With `environment`, git writes index and objects elsewhere.
    """

    c: Context
    folder: Path
    prefix: str
    tree: str
    environment: dict[str, str]

    def git(self, *arguments: str) -> str | None:
        """As `git.git`, with this checkout's index and objects."""
        return git(self.c, self.folder, *arguments, env=self.environment)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for git's temporary indexes and objects."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="inv-git-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def contents(c: Context, folder: Path, revision: str, temporary: Path, target: Path | None = None) -> Content:
    """The content of a checkout (or of a folder in one), submodules included, and optionally the files themselves.

    Args:
        revision: a commit; or "" for what git tracks, as it stands in the working tree.
        temporary: a folder for temporary files; may be used for several calls.
        target: where to write the files, or None for the hash alone.

    Raises:
        Exit: with code 1 for a submodule that is not checked out, or a merge that is not finished.
    """
    checkout = opened(c, folder, revision or "HEAD", temporary)
    tree = checkout.tree if revision else working_tree(checkout)
    if target:
        write_files(checkout, revision or "HEAD", tree, target)
    hashes, committed = [tree], tree == checkout.tree
    for path, commit in submodules(checkout, tree):
        require_submodule(c, folder, path, commit)
        inner = contents(c, folder / path, commit if revision else "", temporary, target / path if target else None)
        if not inner.committed:
            committed = False
            hashes.append(f"{path}\0{inner.hash}")
    if len(hashes) == 1:
        return Content(tree, committed)
    import hashlib

    return Content(hashlib.sha1("\0".join(hashes).encode()).hexdigest(), committed)


def opened(c: Context, folder: Path, revision: str, temporary: Path) -> Checkout:
    """A checkout, with an index and a store of objects of its own below `temporary`.

    Raises:
        Exit: with code 1 when git tracks nothing there.
    """
    from tempfile import mkdtemp

    questions = ("--show-prefix", "--absolute-git-dir", "--git-path", "objects", "--git-path", "index")
    answers = (git(c, folder, "rev-parse", *questions, f"{revision}:./") or "").split("\n")
    if len(answers) != 5:
        raise Exit(f"git tracks nothing in {folder} at HEAD. Commit the framework's files there.", code=1)
    prefix, git_folder, objects, index, tree = answers
    own = Path(mkdtemp(dir=temporary))
    (own / "objects").mkdir()
    if (folder / index).exists():
        (own / "index").write_bytes((folder / index).read_bytes())
    environment = {
        "GIT_DIR": git_folder,
        "GIT_INDEX_FILE": str(own / "index"),
        "GIT_OBJECT_DIRECTORY": str(own / "objects"),
        # Quoted: a ":" in the path would divide it.
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": json.dumps(str((folder / objects).resolve()), ensure_ascii=False),
    }
    return Checkout(c, folder, prefix, tree, environment)


def working_tree(checkout: Checkout) -> str:
    """The tree id of what git tracks in a checkout's folder, as it stands in the working tree.

    Raises:
        Exit: with code 1 when git cannot tell.
    """
    c, prefix = checkout.c, checkout.prefix
    top = git(c, checkout.folder, "rev-parse", "--show-toplevel") or str(checkout.folder)
    inside = {**checkout.environment, "GIT_WORK_TREE": top, "GIT_LITERAL_PATHSPECS": "1"}
    added = git(c, Path(top), "add", "--update", "--", prefix or ".", env=inside)
    tree = git(c, Path(top), "write-tree", *([f"--prefix={prefix}"] if prefix else []), env=inside)
    if added is None or tree is None:
        folder = checkout.folder
        raise Exit(f"git cannot write down the state of {folder}. See: git -C {folder} status", code=1)
    return tree


def submodules(checkout: Checkout, tree: str) -> list[tuple[str, str]]:
    """Path and commit of each submodule in a tree."""
    listing = checkout.git("ls-tree", "--full-tree", "-r", "-z", tree) or ""
    entries = (entry.partition("\t") for entry in listing.split("\0") if entry.startswith(SUBMODULE))
    return [(path, details.split()[2]) for details, _, path in entries]


def require_submodule(c: Context, folder: Path, path: str, commit: str) -> None:
    """Raise Exit with code 1 where a submodule is not checked out, or lacks its commit."""
    inner = folder / path
    checked_out = git(c, inner, "rev-parse", "--show-prefix") == ""
    if not checked_out or git(c, inner, "cat-file", "-e", f"{commit}^{{commit}}") is None:
        raise Exit(
            f"Submodule {path} of {folder} is not checked out at {commit[:7]}. "
            f"Type: git -C {folder} submodule update --init --recursive",
            code=1,
        )


def write_files(checkout: Checkout, revision: str, tree: str, target: Path) -> None:
    """Write all files of a tree into `target`, as a checkout does (line endings, LFS) and `git archive` does not.

    Args:
        revision: the commit whose .gitattributes count that stand above the tree.

    Raises:
        Exit: with code 1 and git's own reason.
    """
    prefix = checkout.prefix
    whole = target.with_name(f"{target.name}.whole") if prefix else target  # attributes go by paths from the top
    index = checkout.environment["GIT_INDEX_FILE"] + ".out"
    inside = {**PLAIN, **checkout.environment, "GIT_WORK_TREE": str(whole), "GIT_INDEX_FILE": index}
    steps = [["read-tree", *([f"--prefix={prefix}"] if prefix else []), tree]]
    steps += [["update-index", "--add", "--cacheinfo", entry] for entry in attributes_above(checkout, revision)]
    steps += [["checkout-index", "--all", "--force"]]
    former = os.umask(0o022)  # the modes go into the image: they must not depend on who builds
    try:
        if prefix:
            shutil.rmtree(whole, ignore_errors=True)  # a killed build may have left one
        (whole / prefix).mkdir(parents=True, exist_ok=True)
        for step in steps:
            done = ask(checkout.c, ["git", "-C", str(whole), *step], env=inside)
            if not done.ok:
                reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
                raise Exit(f"git could not write the files of {checkout.folder}: {reason}", code=1)
        if prefix:
            (whole / prefix).replace(target)
    finally:
        os.umask(former)
        if prefix:
            shutil.rmtree(whole, ignore_errors=True)


def attributes_above(checkout: Checkout, revision: str) -> list[str]:
    """The .gitattributes of the folders above the checkout's, each as `git update-index --cacheinfo` takes it."""
    folders = checkout.prefix.split("/")[:-1]
    paths = ["/".join([*folders[:depth], ".gitattributes"]) for depth in range(len(folders))]
    if not paths:
        return []
    listing = git(checkout.c, checkout.folder, "ls-tree", "--full-tree", "-z", revision, "--", *paths) or ""
    entries = (entry.partition("\t") for entry in listing.split("\0") if entry)
    return [f"{mode},{blob},{path}" for details, _, path in entries for mode, _, blob in [details.split()]]
