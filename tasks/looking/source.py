"""How far a source's HEAD is from the commit that runs."""

import shlex
from pathlib import Path

from invoke import Context
from msgspec import Struct

from ..building.git import answer, asked, git, reason, refusal
from ..engine import label
from ..engine.records import ImageRow
from .commits import Commit, between, fetch, known, of_folder

MOST = 10  # commits that are named


class Ahead(Struct, frozen=True):
    """How far a source's HEAD is from the commit that runs.

    `known`: whether the source has that commit; `why` says why not, and `fetch` which command would bring it, None
    where nobody knows one. `head` is HEAD in full, None where the source cannot be asked. `subject` is that of the
    commit that runs. `ahead` counts the commits that are in HEAD and do not run, `behind` those that run and are not in
    HEAD, both only those that touch the source where that is a folder in its checkout. `commits` are those not
    deployed, the newest first, at most ten.
    """

    folder: str
    head: str | None
    known: bool
    why: str | None = None
    fetch: str | None = None
    subject: str | None = None
    ahead: int | None = None
    behind: int | None = None
    commits: tuple[Commit, ...] = ()


def ahead(c: Context, source: Path, image: ImageRow | None) -> Ahead:
    """How far a source's HEAD is from the commit that an image names, which may be anything; None for no image."""
    folder = str(source)
    if not source.is_dir():
        return Ahead(folder, None, False, "there is no such folder")
    probe = asked(c, source, "rev-parse", "--is-shallow-repository", "HEAD^{commit}", "--")
    shallow, head, *_ = [*probe.stdout.split("\n"), ""]
    if not probe.ok:
        refused = refusal(source, probe.stderr)
        why = "it has no commit yet" if shallow in ("true", "false") else reason(probe.stderr)
        why = "git is not installed" if probe.exited == 127 else why
        return Ahead(folder, None, False, (refused and refused.message) or why)
    commit = label.commit_of(image.labels) if image else ""
    if not image or not commit:
        return Ahead(folder, head, False, "the image does not say which commit it was made from")
    full = known(c, source, commit)
    if not full and shallow == "true":
        why = "the commit that runs is not in it, as far as it goes: it is a shallow clone"
        return Ahead(folder, head, False, why, shlex.join(["git", "-C", folder, "fetch", "--unshallow"]))
    if not full:
        return Ahead(folder, head, False, "the commit that runs is not in it", fetch(c, source, image) or None)
    counted = ("rev-list", "--left-right", "--count", f"{full}...{head}")
    behind, front = answer(c, source, *counted, *of_folder(c, source)).split()
    return Ahead(
        folder,
        head,
        True,
        subject=git(c, source, "log", "--max-count=1", "--no-show-signature", "--format=%s", full, "--"),
        ahead=int(front),
        behind=int(behind),
        commits=between(c, source, full, head, most=MOST) if int(front) else (),
    )
