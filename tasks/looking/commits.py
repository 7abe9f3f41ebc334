"""The commits between two revisions of a source, and which fetch brings one that is not here."""

import re
import shlex
from pathlib import Path

from invoke import Context
from msgspec import Struct

from ..building.git import answer, git
from ..building.release import origin
from ..engine import label
from ..engine.records import ImageRow
from ..host import document
from ..host.text import without_credentials

COMMIT = "[0-9a-f]{7,64}"
BRANCH = r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./-]*"
URL = r"(?:(?:https?|ssh|git)://[A-Za-z0-9_.@:-]+/|git@[A-Za-z0-9.-]+:)[A-Za-z0-9_.~/-]+"


class Commit(Struct, frozen=True):
    """A commit: its full `id`, when it was committed in ISO 8601, its author's name, the first line of its message."""

    id: str
    date: str | None
    author: str
    subject: str


def known(c: Context, source: Path, revision: str) -> str:
    """The full id of a commit that a label names; "" where it names none, or the source does not have it."""
    if not re.fullmatch(COMMIT, revision):
        return ""
    return git(c, source, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}") or ""


def of_folder(c: Context, source: Path) -> tuple[str, ...]:
    """What ends a question of git's for commits: where the source is a folder in its checkout, those that touch it.

    Raises:
        Exit: with code 1 when git cannot say.
    """
    return ("--", ".") if answer(c, source, "rev-parse", "--show-prefix") else ("--",)


def between(c: Context, source: Path, older: str, newer: str, *, most: int = -1) -> tuple[Commit, ...]:
    """The commits that `newer` has and `older` has not, both in full, the newest first, and at most so many.

    Of a source that is a folder in its checkout, those that touch this folder.

    Raises:
        Exit: with code 1 when git cannot say.
    """
    plain = (f"--max-count={most}", "--no-show-signature", "--no-decorate", "--encoding=UTF-8")
    shown = ("-z", "--format=tformat:%H%x00%ct%x00%an%x00%s", *plain)
    said = answer(c, source, "log", *shown, f"{older}..{newer}", *of_folder(c, source))
    fields = said.split("\0")
    rows = zip(*(fields[place::4] for place in range(4)), strict=False)
    return tuple(Commit(key, document.moment(float(date)), author, subject) for key, date, author, subject in rows)


def fetch(c: Context, source: Path, image: ImageRow) -> str:
    """The git command that brings the commit of an image, as far as its labels say where it is; "" if they do not.

    Labels are not believed to be harmless: git would run a program for some URLs.
    """
    revision, branch = label.commit_of(image.labels), label.branch_of(image.labels)
    url = image.labels.get(label.OCI + "source", "")
    if not re.fullmatch(COMMIT, revision):
        return ""
    own = without_credentials(origin(c, source))
    same = own != "" and url in ("", own)
    if not same and not re.fullmatch(URL, url):
        return ""
    what = branch if branch != "HEAD" and re.fullmatch(BRANCH, branch) else revision
    return shlex.join(["git", "-C", str(source), "fetch", "origin" if same else url, what])
