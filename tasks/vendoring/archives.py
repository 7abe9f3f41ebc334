"""Archives from elsewhere, unpacked without ever leaving their folder.

The standard library's own guard (tarfile's `data` filter) is missing from Python 3.11.0 to 3.11.3, and zip has none.
So every member's name is checked before the first is written, folders and files come before links (nothing is ever
written through one), and links are checked as a whole when the tree stands.
"""

import errno
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from msgspec import Struct
from msgspec.structs import replace

from ..host.text import brief
from . import manifest
from .job import Refused

BROKEN = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, RuntimeError, ValueError)
HOPS = 40  # links that one path may go through, as in Linux

Parts = tuple[str, ...]


class Member(Struct, frozen=True):
    """One thing in an archive; `link` is where it points, for links."""

    parts: Parts
    folder: bool
    program: bool
    link: str
    source: tarfile.TarInfo | zipfile.ZipInfo


def unpack(archive: Path, into: Path) -> None:
    """Unpack a zip or tar archive into a new folder. One top folder around everything is left out.

    Raises:
        Refused: when it is neither, is damaged, or holds something that would end up elsewhere.
    """
    try:
        with opened(archive) as package:
            members = listed(package)
            tops = {member.parts[0] for member in members}
            wrapped = len(tops) == 1 and all(member.folder or len(member.parts) > 1 for member in members)
            into.mkdir()
            write_members(package, [replace(member, parts=member.parts[wrapped:]) for member in members], into)
    except (*BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # a full disk is not the archive's fault
        raise Refused(f"the archive is damaged or of an unknown form ({brief(error)})") from None
    normalize(into)


@contextmanager
def opened(archive: Path) -> Iterator[tarfile.TarFile | zipfile.ZipFile]:
    """The archive, by what it holds and not by its name."""
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            yield tar
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as package:
            yield package
    else:
        raise Refused("what was fetched is neither a zip nor a tar archive")


def listed(package: tarfile.TarFile | zipfile.ZipFile) -> list[Member]:
    """Everything in an archive, with names that stay inside."""
    found = []
    if isinstance(package, tarfile.TarFile):
        for tar in package.getmembers():
            if not (tar.isreg() or tar.isdir() or tar.issym() or tar.islnk()):
                raise Refused(f"the archive holds {brief(tar.name)}, which is neither file, folder nor link")
            if tar.islnk():
                inside(tar.linkname)
            link = tar.linkname if tar.issym() else ""
            found.append(Member(inside(tar.name), tar.isdir(), bool(tar.mode & stat.S_IXUSR), link, tar))
    else:
        for entry in package.infolist():
            mode = entry.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK) or "\\" in entry.filename:
                raise Refused(f"the archive holds {brief(entry.filename)}, which is neither file, folder nor link")
            link = os.fsdecode(package.read(entry)) if stat.S_ISLNK(mode) else ""
            found.append(Member(inside(entry.filename), entry.is_dir(), bool(mode & stat.S_IXUSR), link, entry))
    found = [member for member in found if member.parts]
    if not found:
        raise Refused("the archive is empty")
    return found


def inside(name: str) -> Parts:
    """A member's name in its parts.

    Raises:
        Refused: when it is absolute or goes up.
    """
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise Refused(f"the archive holds {brief(name)}, which would land outside its folder")
    return parts


def write_members(package: tarfile.TarFile | zipfile.ZipFile, members: list[Member], into: Path) -> None:
    """Write an archive's members: folders and files first, links last."""
    links = []
    for member in members:
        place = into.joinpath(*member.parts)
        try:
            (place if member.folder else place.parent).mkdir(parents=True, exist_ok=True)
            if member.link:
                links.append((member.link, place))
            elif not member.folder:
                with content(package, member) as source, place.open("xb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
                place.chmod(0o755 if member.program else 0o644)
        except (FileExistsError, NotADirectoryError):
            raise Refused(f"the archive holds {brief('/'.join(member.parts))} twice") from None
        except KeyError:
            raise Refused(f"the archive holds {brief('/'.join(member.parts))}, a hard link to nothing in it") from None
    for link, place in links:
        try:
            place.symlink_to(link)
        except FileExistsError:
            raise Refused(f"the archive holds {brief(place.relative_to(into))} twice") from None


def content(package: tarfile.TarFile | zipfile.ZipFile, member: Member) -> IO[bytes]:
    """A member's bytes. A hard link's are read from the archive too, so that no file outside can be meant."""
    if isinstance(package, zipfile.ZipFile):
        assert isinstance(member.source, zipfile.ZipInfo)
        return package.open(member.source)
    assert isinstance(member.source, tarfile.TarInfo)
    found = package.extractfile(member.source)
    if found is None:
        raise KeyError(member.source.name)
    return found


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
