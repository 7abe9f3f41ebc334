"""The repositories in a repository: which belong to its content, and whether they are there."""

import shlex
from pathlib import Path

from invoke import Context, Exit, Result
from msgspec import Struct

from ..host.text import brief
from .checkout import Checkout
from .git import asked, git, printed, reason, refusal

GITLINK = "160000"  # the mode of another repository's commit in a tree
WHERE = ("rev-parse", "--show-prefix", "--is-inside-work-tree")


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
    if "\ufffd" in submodule.path:
        what = f"Submodule {brief(submodule.path)} of {folder} has a name that is not UTF-8, and cannot be read"
        raise Exit(f"{what}. Give it another, and commit that.", code=1)
    found = asked(c, inner, *WHERE)
    if refused := refusal(inner, found.stderr):
        raise refused
    usable = is_top(found)
    commit = f"{submodule.commit}^{{commit}}"
    if usable and git(c, inner, "cat-file", "-e", commit) is not None:
        return
    if not usable and in_the_way(inner):
        raise unusable(c, folder, submodule.path, found)
    raise Exit(
        f"Submodule {brief(submodule.path)} of {folder} is not checked out at {submodule.commit[:7]}. "
        f"Type: {shlex.join(update_command(checkout, submodule))}",
        code=1,
    )


def in_the_way(place: Path) -> bool:
    """Whether git would not put a checkout there: something lies there already."""
    try:
        return place.is_symlink() or any(place.iterdir())
    except OSError:
        return place.exists()


def is_top(found: Result) -> bool:
    """Whether a folder is the top of a checkout, by git's answer to WHERE; else that above it may be what answers."""
    return bool(found.ok) and found.stdout == "\ntrue\n"


def unusable(c: Context, folder: Path, path: str, found: Result) -> Exit:
    """What to do about a submodule of a folder where something else lies; `found`: git's answer to WHERE there."""
    why = "" if found.ok else f" ({reason(found.stderr)})"
    places, link = [folder / path], folder / path / ".git"
    told = link.read_text(errors="replace") if link.is_file() else ""
    if told.startswith("gitdir: "):
        own = (link.parent / told.removeprefix("gitdir: ").strip()).resolve()
        if own.is_dir() and git(c, folder, f"--git-dir={own}", "rev-parse") is None:
            places.append(own)  # git would take it up again
    way = ["git", "-C", str(folder), "submodule", "update", "--init", "--recursive", "--checkout", "--", path]
    return Exit(
        f"What lies in submodule {brief(path)} of {folder} is no checkout of it{why}. "
        f"Move {' and '.join(map(str, places))} away, then type: {shlex.join(way)}",
        code=1,
    )


def damaged(c: Context, folder: Path) -> Exit | None:
    """What to do about the first of a checkout's submodules, however deep, that git cannot use; None without one."""
    listing = git(c, folder, "ls-files", "--stage", "-z") or ""
    for path in [entry.partition("\t")[2] for entry in listing.split("\0") if entry.startswith(GITLINK)]:
        if not (folder / path / ".git").exists():
            continue
        found = asked(c, folder / path, *WHERE)
        if not is_top(found):
            return refusal(folder / path, found.stderr) or unusable(c, folder, path, found)
        if deeper := damaged(c, folder / path):
            return deeper
    return None


def update_command(checkout: Checkout, submodule: Submodule) -> list[str]:
    """The command that checks a submodule out, whatever this machine's git is told to do or to leave out."""
    c, folder = checkout.c, checkout.folder
    words = ["git", "-C", str(folder), "submodule", "update", "--init", "--recursive"]
    if git(c, folder, "config", "--get", f"submodule.{submodule.name}.update") not in (None, "checkout"):
        words.append("--checkout")
    if git(c, folder, "config", "--get-all", "submodule.active"):
        words += ["--", submodule.path]
    return words
