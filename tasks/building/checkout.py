"""A checkout that is asked without being written to: git's index and new objects lie in a folder of our own."""

import json
import re
import shlex
from pathlib import Path
from shutil import copy2

from invoke import Context, Exit
from msgspec import Struct

from ..host.text import brief
from .git import answer, asked, elsewhere, git, printed, reason


class Checkout(Struct, frozen=True):
    """A repository's working tree, or a folder in one.

    `prefix` is where the folder stands: "", or a path that ends with a slash. `common` is the folder that all working
    trees of the repository share. `tree` is the id of its committed tree. With `environment`, git writes index and
    objects elsewhere.
    """

    c: Context
    folder: Path
    prefix: str
    common: Path
    tree: str
    environment: dict[str, str]

    def git(self, *arguments: str) -> str | None:
        """As `git.git`, with this checkout's index and objects."""
        return git(self.c, self.folder, *arguments, env=self.environment)

    def answer(self, *arguments: str) -> str:
        """As `git.answer`, with this checkout's index and objects."""
        return answer(self.c, self.folder, *arguments, env=self.environment)


def opened(c: Context, folder: Path, revision: str, temporary: Path) -> Checkout:
    """A checkout, with an index and a store of objects of its own below `temporary`.

    Raises:
        Exit: with code 1 when git tracks nothing there, or cannot tell.
    """
    from tempfile import mkdtemp

    questions = ("--show-prefix", "--absolute-git-dir", "--git-common-dir", "--git-path", "objects", "--git-path")
    result = asked(c, folder, "rev-parse", *questions, "index", f"{revision}:./", "--")
    if re.search("bad revision|does not exist in|exists on disk, but not in", result.stderr):
        said = f"git tracks nothing in {folder} at HEAD. Commit the framework's files there."
        raise elsewhere(c, folder) or Exit(said, code=1)
    if not result.ok:
        said = f"git cannot tell what {folder} holds: {reason(result.stderr)}"
        raise Exit(f"{said}. See: {shlex.join(['git', '-C', str(folder), 'status'])}", code=1)
    answers = printed(result).split("\n")
    if len(answers) != 7:
        raise Exit(f"{brief(folder)}, or a folder above it, has a line break in its name. Rename it.", code=1)
    prefix, git_folder, common, objects, index, tree, _ = answers
    own = Path(mkdtemp(dir=temporary))
    (own / "objects").mkdir()
    if (folder / index).exists():
        # With its time: git looks again into files that are not older than the index.
        copy2(folder / index, own / "index")
    environment = {
        "GIT_DIR": git_folder,
        "GIT_INDEX_FILE": str(own / "index"),
        "GIT_OBJECT_DIRECTORY": str(own / "objects"),
        # Quoted: a ":" in the path would divide it.
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": json.dumps(str((folder / objects).resolve()), ensure_ascii=False),
    }
    return Checkout(c, folder, prefix, (folder / common).resolve(), tree, environment)


def working_tree(checkout: Checkout) -> str:
    """The tree id of what git tracks in a checkout's folder, as it stands in the working tree.

    Raises:
        Exit: with code 1 when git cannot tell.
    """
    c, prefix = checkout.c, checkout.prefix
    top = Path(answer(c, checkout.folder, "rev-parse", "--show-toplevel"))
    inside = {**checkout.environment, "GIT_WORK_TREE": str(top), "GIT_LITERAL_PATHSPECS": "1"}
    added = git(c, top, "add", "--update", "--", prefix or ".", env=inside)
    tree = git(c, top, "write-tree", *([f"--prefix={prefix}"] if prefix else []), env=inside)
    if added is None or tree is None:
        folder = checkout.folder
        raise Exit(f"git cannot write down the state of {folder}. See: git -C {folder} status", code=1)
    return tree
