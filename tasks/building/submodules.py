"""The repositories in a repository: which belong to its content, and whether they are there."""

import shlex

from invoke import Exit
from msgspec import Struct

from .checkout import Checkout
from .git import asked, git, printed, reason, refusal

GITLINK = "160000"  # the mode of another repository's commit in a tree


class Submodule(Struct, frozen=True):
    """Another repository's commit in a tree, with its path from the checkout's folder.

    `name` and `update` are from .gitmodules, "" where that says nothing of it.
    """

    path: str
    commit: str
    name: str
    update: str

    @property
    def left_out(self) -> bool:
        """Whether a clone of the repository does not have it: git itself does not check it out."""
        return not self.name or self.update == "none"


def submodules(checkout: Checkout, revision: str, tree: str) -> list[Submodule]:
    """Those in a tree; `revision` is the commit whose .gitmodules counts, or "" for that of the index.

    Raises:
        Exit: with code 1 when git cannot tell.
    """
    listing = checkout.answer("ls-tree", "--full-tree", "-r", "-z", "--end-of-options", tree)
    entries = (entry.partition("\t") for entry in listing.split("\0") if entry.startswith(GITLINK))
    found = [(path, details.split()[2]) for details, _, path in entries]
    known = named(checkout, revision) if found else {}
    return [Submodule(path, commit, *known.get(checkout.prefix + path, ("", ""))) for path, commit in found]


def named(checkout: Checkout, revision: str) -> dict[str, tuple[str, str]]:
    """Each submodule's name and its `update`, by its path from the repository's top, as .gitmodules says.

    Raises:
        Exit: with code 1 when it cannot be read.
    """
    blob = f"{revision}:.gitmodules"
    if checkout.git("cat-file", "-e", blob) is None:
        return {}
    question = ("config", "--blob", blob, "-z", "--get-regexp", r"^submodule\..*\.(path|update)$")
    result = asked(checkout.c, checkout.folder, *question, env=checkout.environment)
    if result.exited not in (0, 1):  # 1: it names none
        raise Exit(f"git cannot read .gitmodules of {checkout.folder}: {reason(result.stderr)}. Mend it.", code=1)
    values: dict[str, dict[str, str]] = {"path": {}, "update": {}}
    for entry in printed(result).split("\0"):
        key, _, value = entry.partition("\n")
        name, _, what = key.removeprefix("submodule.").rpartition(".")
        if what:
            values[what][name] = value
    return {path.rstrip("/"): (name, values["update"].get(name, "")) for name, path in values["path"].items()}


def require(checkout: Checkout, submodule: Submodule) -> None:
    """Raise Exit with code 1 where a submodule is not checked out, or lacks its commit, with what helps."""
    c, folder = checkout.c, checkout.folder
    inner = folder / submodule.path
    found = asked(c, inner, "rev-parse", "--show-prefix")
    if refused := refusal(inner, found.stderr):
        raise refused
    commit = f"{submodule.commit}^{{commit}}"
    if found.ok and not printed(found) and git(c, inner, "cat-file", "-e", commit) is not None:
        return
    own = (inner / ".git").exists() and not found.ok  # it is there, and git cannot use it
    why = f" ({reason(found.stderr)})" if own else ""
    raise Exit(
        f"Submodule {submodule.path} of {folder} is not checked out at {submodule.commit[:7]}{why}. "
        f"Type: {shlex.join(update_command(checkout, submodule))}",
        code=1,
    )


def update_command(checkout: Checkout, submodule: Submodule) -> list[str]:
    """The command that checks a submodule out, whatever this machine's git is told to leave out."""
    c, folder = checkout.c, checkout.folder
    words = ["git", "-C", str(folder), "submodule", "update", "--init", "--recursive"]
    if git(c, folder, "config", "--get", f"submodule.{submodule.name}.update") == "none":
        words.append("--checkout")
    if git(c, folder, "config", "--get-all", "submodule.active"):
        words += ["--", submodule.path]
    return words
