"""What git says of the source: a `Release`."""

import re
import shlex
from datetime import datetime, timezone
from pathlib import Path

from invoke import Context, Exit
from msgspec import Struct

from ..host.shell import ask
from ..host.text import without_credentials
from .contents import contents, scratch
from .git import PLAIN, git

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
        tree = contents(c, source, "" if dirty else "HEAD", folder).hash
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
