"""What git says of the source: a `Release`."""

from datetime import datetime, timezone
from pathlib import Path

from invoke import Context, Exit
from msgspec import Struct

from ..host.shell import ask
from ..host.text import without_credentials
from .contents import contents, scratch
from .git import PLAIN, answer, asked, elsewhere, git, printed, reason, refusal
from .submodules import damaged

CONFLICTS = ("DD", "AU", "UD", "UA", "DU", "AA", "UU")


class Release(Struct, frozen=True):
    """What git says of the source at this moment.

    `date` is UTC, as 2019-08-30T14:46:20Z. `commit` is the first 7 characters of `revision`. `tree` is the content
    that would be built, by hash: git's own tree id, or a hash over those of dirty submodules too. `untracked` and
    `ignored` are the files and folders that lie about and are not in a frame; `left_out` are the repositories in it
    that git itself does not check out.
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
    untracked: tuple[str, ...]
    ignored: tuple[str, ...]
    left_out: tuple[str, ...] = ()


class State(Struct, frozen=True):
    """A file or folder that is not as in HEAD: git's two letters (`??` untracked, `!!` ignored) and its path."""

    letters: str
    path: str

    @property
    def tracked(self) -> bool:
        return self.letters not in ("??", "!!")


def release(c: Context, source: Path, series: str, setting: str = "stack.source") -> Release:
    """Ask git about the source, which `setting` names.

    Raises:
        Exit: with code 1 when the source is no git checkout, is shallow, lacks a commit or submodule, or has conflicts.
    """
    revision, branch = head(c, source, f"It is the setting {setting}.")
    states = status(c, source)
    changed = {state.path for state in states if state.tracked}
    with scratch() as folder:
        found = contents(c, source, "" if changed else "HEAD", folder)
        if changed and found.left_out:
            above = answer(c, source, "rev-parse", "--show-prefix")
            changed -= {above + path for path in found.left_out}
            if found.committed or not changed:  # what changed is in none of the files that are built
                changed, found = set(), contents(c, source, "HEAD", folder)
    return Release(
        date=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        version=answer(c, source, "describe", "--tags", "--always"),
        url=without_credentials(origin(c, source)),
        commit=revision[:7],
        branch=branch,
        tag=f"{series}.{answer(c, source, 'rev-list', '--count', '--end-of-options', 'HEAD', '--')}",
        revision=revision,
        tree=found.hash,
        dirty=bool(changed),
        untracked=tuple(state.path for state in states if state.letters == "??"),
        ignored=tuple(state.path for state in states if state.letters == "!!"),
        left_out=found.left_out,
    )


def origin(c: Context, source: Path) -> str:
    """Where the source was cloned from; "" if it does not say."""
    result = asked(c, source, "config", "--get", "remote.origin.url")
    return "" if result.exited == 1 else answer(c, source, "config", "--get", "remote.origin.url")


def replaced(c: Context, source: Path) -> list[str]:
    """The ids of the objects in whose place `git replace` has put another: here they are themselves."""
    listing = answer(c, source, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/replace")
    return listing.split()


def status(c: Context, source: Path) -> list[State]:
    """What is not as in HEAD.

    Raises:
        Exit: with code 1 for a merge with conflicts, or when git cannot tell.
    """
    options = ("--ignore-submodules=untracked", "--untracked-files=normal", "--ignored=traditional", "--no-renames")
    result = asked(c, source, "status", "--porcelain", "-z", *options, "--", ".")
    if not result.ok:
        what = f"git cannot tell what changed in {source}: {reason(result.stderr)}"
        trouble = refusal(source, result.stderr) or damaged(c, source)
        raise trouble or Exit(f"{what}. See: git -C {source} status", code=1)
    states = [State(entry[:2], entry[3:]) for entry in printed(result).split("\0") if entry]
    if any(state.letters in CONFLICTS for state in states):
        raise Exit(f"{source} has conflicts that nobody resolved. See: git -C {source} status", code=1)
    return states


def head(c: Context, source: Path, setting: str) -> tuple[str, str]:
    """HEAD's full commit id and its branch (`HEAD` if it is detached); `setting` is a sentence that names the source's.

    Raises:
        Exit: with code 1 when there is none, or the number of commits below it would mean nothing.
    """
    if not source.is_dir():
        raise Exit(f"There is no folder {source}. {setting} Clone the framework there, or change it.", code=1)
    questions = ("--is-inside-work-tree", "--is-shallow-repository", "HEAD^{commit}")
    probe = ask(c, ["git", "-C", str(source), "rev-parse", *questions, "--"], env=PLAIN)
    if probe.exited == 127:
        raise Exit("git is not installed. Type: apt-get install git", code=1)
    if refused := refusal(source, probe.stderr):
        raise refused
    inside, shallow, revision, *_ = [*probe.stdout.split("\n"), "", "", ""]  # as far as it came
    if inside != "true":
        raise elsewhere(c, source) or Exit(
            f"{source} is not a git checkout. {setting} Clone the framework there, or change it.", code=1
        )
    if not probe.ok:
        raise Exit(f"{source} has no commit yet. Commit something, then type the same again.", code=1)
    if shallow == "true":
        raise Exit(
            f"{source} is a shallow clone: its number of commits, and so the tag, would be wrong. "
            f"Type: git -C {source} fetch --unshallow",
            code=1,
        )
    # In full, and not `rev-parse --abbrev-ref`: that says another name where a tag has it too.
    branch = git(c, source, "symbolic-ref", "--quiet", "HEAD") or "HEAD"
    return revision, branch.removeprefix("refs/heads/")
