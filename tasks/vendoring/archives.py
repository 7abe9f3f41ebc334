"""Archives from elsewhere, unpacked without ever leaving their folder, or filling the disk.

The standard library's own guard (tarfile's `data` filter) is missing from Python 3.11.0 to 3.11.3, and zip has none.
So every member's name is checked before it is written, folders and files come before links (nothing is ever written
through one), and links are checked as a whole when the tree stands.
"""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from ..host.text import brief, size
from . import manifest
from .job import Refused
from .limits import Allowance
from .members import BROKEN, Member, Parts, is_litter, opened

HOPS = 40  # links that one path may go through, as in Linux
MEMBERS = 250_000  # what is remembered of each file, here and in the manifest, is a few hundred bytes
SMALL, RATIO = 1 << 30, 100  # bytes that any archive may unpack to; beyond, so many times its own size


def unpack(archive: Path, into: Path) -> None:
    """Unpack a zip or tar archive into a new folder. One top folder around everything is left out.

    Raises:
        Refused: when it is neither, is damaged, or holds something that would end up elsewhere, or too much.
    """
    own = archive.stat().st_size
    most = max(SMALL, RATIO * own)
    allowance = Allowance(archive.parent, most, f"it has {size(own)} and unpacks to more than {size(most)}")
    whole = into.with_name(f"{into.name}.whole")
    whole.mkdir()
    try:
        with opened(archive) as members:
            write(wanted(members), whole, allowance)
    except (*BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # a full disk is not the archive's fault
        raise Refused(f"the archive is damaged or of an unknown form ({brief(error)})") from None
    tops = list(whole.iterdir())
    if not tops:
        raise Refused("the archive is empty")
    if len(tops) == 1 and tops[0].is_dir() and not tops[0].is_symlink():
        tops[0].rename(into)
        whole.rmdir()
    else:
        whole.rename(into)
    normalize(into)


def wanted(members: Iterator[Member]) -> Iterator[Member]:
    """The members that somebody has put there."""
    for count, member in enumerate(members, 1):
        if count > MEMBERS:
            raise Refused(f"the archive holds more than {MEMBERS:,} files")
        if member.parts and not is_litter(member):
            yield member


def write(members: Iterator[Member], into: Path, allowance: Allowance) -> None:
    """Write an archive's members: folders and files as they come, links last."""
    links: dict[Path, str] = {}
    for member in members:
        place = into.joinpath(*member.parts)
        link = member.link or links.get(into.joinpath(*member.twin), "")  # tar's hard link to a symbolic one is another
        try:
            if place in links:
                raise FileExistsError
            (place if member.folder else place.parent).mkdir(parents=True, exist_ok=True)
            if link:
                links[place] = link
            elif not member.folder:
                with content(member, into) as source, place.open("xb") as target:
                    while chunk := source.read(1 << 20):
                        allowance.take(len(chunk))
                        target.write(chunk)
                place.chmod(0o755 if member.program else 0o644)
        except (FileExistsError, NotADirectoryError):
            raise Refused(f"the archive holds {brief('/'.join(member.parts))} twice") from None
    for place, link in links.items():
        try:
            place.symlink_to(link)
        except FileExistsError:
            raise Refused(f"the archive holds {brief(place.relative_to(into))} twice") from None


def content(member: Member, into: Path) -> IO[bytes]:
    """A file's bytes. A hard link's are those of the member before it that it names: no link is there yet to follow."""
    if member.read:
        return member.read()
    twin = into.joinpath(*member.twin)
    if not twin.is_file():
        raise Refused(f"the archive holds {brief('/'.join(member.parts))}, a hard link to nothing before it")
    return twin.open("rb")


def normalize(folder: Path) -> None:
    """Check and even out a tree that is complete: only files, folders and links that stay inside, with even modes.

    Raises:
        Refused: when a link points out or in a circle, for a device or the like, or a file where the manifest goes.
    """
    if os.path.lexists(folder / manifest.NAME):
        raise Refused(f"it has a file of its own named {manifest.NAME}")
    links: dict[Parts, str] = {}
    for above, folders, files in os.walk(folder):
        Path(above).chmod(0o755)
        base = Path(above).relative_to(folder).parts
        for name in folders + files:
            path = Path(above, name)
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                links[(*base, name)] = os.readlink(path)  # noqa: PTH115 - Path would tidy a//b/ up
            elif stat.S_ISREG(mode):
                path.chmod(0o755 if mode & stat.S_IXUSR else 0o644)
            elif not stat.S_ISDIR(mode):
                raise Refused(f"{brief('/'.join((*base, name)))} is neither file, folder nor link")
    for link, target in links.items():
        if leads_out(link, links):
            raise Refused(f"the link {brief('/'.join(link))} → {brief(target)} points out of its folder")


def leads_out(path: Parts, links: Mapping[Parts, str]) -> bool:
    """Whether a path, its links followed, ever leaves the folder (or goes in a circle). The disk is not asked."""
    at: list[str] = []
    todo, hops = list(reversed(path)), 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not at:
                return True
            at.pop()
            continue
        at.append(part)
        target = links.get(tuple(at))
        if target is not None:
            hops += 1
            if target.startswith("/") or hops > HOPS:
                return True
            at.pop()
            todo.extend(reversed(target.split("/")))
    return False
