"""The exact content of a checkout, submodules included: its hash, and its files written elsewhere.

Nothing is written into the repository.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from invoke import Context
from msgspec import Struct

from .checkout import opened, working_tree
from .export import write_files
from .submodules import require, submodules


class Content(Struct, frozen=True):
    """A content by its hash, and whether it stands in the repository, not only in the working tree.

    The hash is git's own tree id, or one over those of dirty submodules too. `left_out` are the paths of the
    repositories in it that git itself does not check out: their files are not in it.
    """

    hash: str
    committed: bool
    left_out: tuple[str, ...] = ()


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
    hashes, committed, left_out = [tree], tree == checkout.tree, []
    for submodule in submodules(checkout, revision, tree):
        path = submodule.path
        if submodule.left_out:
            left_out.append(path)
            continue
        require(checkout, submodule)
        within = target / path if target else None
        inner = contents(c, folder / path, submodule.commit if revision else "", temporary, within)
        left_out += [f"{path}/{deeper}" for deeper in inner.left_out]
        if not inner.committed:
            committed = False
            hashes.append(f"{path}\0{inner.hash}")
    if len(hashes) == 1:
        return Content(tree, committed, tuple(left_out))
    import hashlib

    return Content(hashlib.sha1("\0".join(hashes).encode()).hexdigest(), committed, tuple(left_out))
