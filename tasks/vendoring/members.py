"""What an archive holds, one thing after the other: nothing here grows with the archive, and every name is checked."""

import bz2
import gzip
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from msgspec import Struct

from ..host.text import brief
from .job import Refused

BROKEN = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, RuntimeError, ValueError)
# By what a file begins with; a tar archive that is not compressed begins with a name, and that may be BZ or ].
COMPRESSED: dict[bytes, Callable[..., IO[bytes]]] = {
    rb"\x1f\x8b": gzip.open,  # type: ignore[dict-item]
    rb"BZh[1-9](1AY&SY|\x17rE8P\x90)": bz2.open,
    rb"\xfd7zXZ\0": lzma.open,
    rb"]\0\0(?!\0\0)": lzma.open,
}
LONGEST_MAGIC = 10
LARGEST_READ = 32 << 20  # bytes at once: a header, or a zip's list of its members
LONGEST_LINK = 4096
DEEPEST = 64
UTF8, UNICODE_PATH = 0x800, 0x7075  # in a zip: the flag and the extra field for a name in UTF-8
ENCRYPTED, DOS_FOLDER = 0x1, 0x10  # in a zip: a flag, and an attribute
VOLUME_LABEL = b"V"  # in a tar of GNU's: a name for the whole, and no file
WINDOWS = (0, 10, 11)  # what a zip says of where it was made: DOS, NTFS, VFAT
AGAIN = "make the archive anew, with names in UTF-8"
APPLE_DOUBLE = b"\0\x05\x16\x07"  # the beginning of ._NAME, in which macOS keeps what other systems have no place for
LITTER = (".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r")  # in small letters

Parts = tuple[str, ...]


class Member(Struct, frozen=True):
    """One thing in an archive.

    `link` is where a symbolic link points, `twin` the earlier member that a hard link names; `read` opens a file's
    bytes.
    """

    parts: Parts
    folder: bool = False
    program: bool = False
    link: str = ""
    twin: Parts = ()
    read: Callable[[], IO[bytes]] | None = None


class Guarded:
    """A file that is never read in large pieces: the size of a piece stands in the archive."""

    def __init__(self, file: IO[bytes]) -> None:
        self.seek, self.tell, self.file = file.seek, file.tell, file

    def read(self, count: int = -1) -> bytes:
        """Read so many bytes, or (-1) the rest."""
        data = self.file.read(min(count, LARGEST_READ + 1) if count >= 0 else LARGEST_READ + 1)
        if count > LARGEST_READ or len(data) > LARGEST_READ:
            raise Refused(f"the archive is damaged, or has a header of more than {LARGEST_READ} bytes")
        return data

    def seekable(self) -> bool:
        return True


class Strict(tarfile.TarInfo):
    """A header of a tar archive. The standard library takes one that it cannot read for the archive's end."""

    @classmethod
    def fromtarfile(cls, package: tarfile.TarFile) -> "Strict":
        """Read the next header.

        Raises:
            ReadError: when it is damaged, or only a part of it is there.
        """
        try:
            found = super().fromtarfile(package)
        except (tarfile.EOFHeaderError, tarfile.EmptyHeaderError):  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None
        if found.size < 0:  # what comes next would be what was before
            raise tarfile.ReadError("a size below zero")
        return found


@contextmanager
def opened(archive: Path) -> Iterator[Iterator[Member]]:
    """The members of a zip or tar archive, known by what it holds and not by its name.

    Raises:
        Refused: when it is neither, or (while reading) holds something that would end up elsewhere.
    """
    with archive.open("rb") as file:
        magic = file.read(LONGEST_MAGIC)
    found = (opener for pattern, opener in COMPRESSED.items() if re.match(pattern, magic))
    opener: Callable[..., AbstractContextManager[IO[bytes]]] = next(found, open)
    with opener(archive, "rb") as stream:
        try:
            options = {"encoding": "utf-8", "errors": "surrogateescape", "tarinfo": Strict}
            tar = tarfile.TarFile(fileobj=Guarded(stream), **options)  # type: ignore[arg-type]
        except tarfile.TarError:
            tar = None
        if tar:
            yield in_tar(tar)
            return
    if not zipfile.is_zipfile(archive):
        raise Refused("what was fetched is neither a zip nor a tar archive")
    with archive.open("rb") as stream, zipfile.ZipFile(Guarded(stream)) as package:
        yield in_zip(package)


def in_tar(package: tarfile.TarFile) -> Iterator[Member]:
    """What a tar archive holds."""
    while (entry := package.next()) is not None:
        package.members.clear()  # type: ignore[attr-defined] # else it remembers them all
        package.pax_headers.clear()  # type: ignore[attr-defined]
        parts, program = inside(entry.name), bool(entry.mode & stat.S_IXUSR)
        if entry.isdir():
            yield Member(parts, folder=True)
        elif entry.issym():
            yield Member(parts, link=target_of(entry.name, entry.linkname))
        elif entry.islnk():
            yield Member(parts, program=program, twin=inside(entry.linkname))
        elif entry.isreg():
            yield Member(parts, program=program, read=partial(bytes_of, package, entry))
        elif entry.type != VOLUME_LABEL:
            raise Refused(f"the archive holds {brief(entry.name)}, which is neither file, folder nor link")
    if package.fileobj and package.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0"):  # two blocks of zeros end an archive
        raise tarfile.ReadError("a hole in the middle")


def bytes_of(package: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    """A file in a tar archive, open."""
    found = package.extractfile(entry)
    assert found
    return found


def in_zip(package: zipfile.ZipFile) -> Iterator[Member]:
    """What a zip archive holds."""
    for entry in package.infolist():
        mode = entry.external_attr >> 16
        name = name_in_zip(entry)
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
            raise Refused(f"the archive holds {brief(name)}, which is neither file, folder nor link")
        if entry.flag_bits & ENCRYPTED:
            raise Refused(f"the archive holds {brief(name)}, which is encrypted")
        if name.endswith("/") or stat.S_ISDIR(mode) or (entry.external_attr & DOS_FOLDER and not entry.file_size):
            yield Member(inside(name), folder=True)
        elif stat.S_ISLNK(mode):
            with package.open(entry) as file:
                yield Member(inside(name), link=target_of(name, os.fsdecode(file.read(LONGEST_LINK))))
        else:
            yield Member(inside(name), program=bool(mode & stat.S_IXUSR), read=partial(package.open, entry))


def name_in_zip(entry: zipfile.ZipInfo) -> str:
    """A member's name: of one without the flag for UTF-8, the standard says cp437, and practice anything.

    Raises:
        Refused: when nothing says what its bytes mean.
    """
    name = entry.orig_filename
    if not entry.flag_bits & UTF8:
        raw = name.encode("cp437")  # zipfile takes it for that
        try:
            name = (unicode_path(entry.extra, raw) or raw).decode()
        except UnicodeDecodeError:
            raise Refused(f"the archive holds {brief(name)}, whose name is not in UTF-8: {AGAIN}") from None
    if "\\" in name:
        if entry.create_system not in WINDOWS:
            raise Refused(f"the archive holds {brief(name)}, with a backslash in its name")
        name = name.replace("\\", "/")
    return name


def unicode_path(extra: bytes, raw: bytes) -> bytes:
    """A name in UTF-8 out of a member's extra fields, if it was made for the name that the member has; else nothing."""
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == UNICODE_PATH and len(field) > 5 and struct.unpack("<L", field[1:5])[0] == zlib.crc32(raw):
            return field[5:]
    return b""


def target_of(name: str, target: str) -> str:
    """Where a symbolic link points.

    Raises:
        Refused: when it points nowhere, or there is no such name.
    """
    if not target or "\0" in target or len(os.fsencode(target)) >= LONGEST_LINK:
        raise Refused(f"the archive holds {brief(name)}, a link that points nowhere")
    return on_disk(target)


def on_disk(name: str) -> str:
    """A name in UTF-8 as Python's functions for files take it, whatever the locale.

    Raises:
        Refused: when it is not in UTF-8: docker's builders do not take it.
    """
    try:
        return os.fsdecode(name.encode())
    except UnicodeEncodeError:
        spelled = name.encode("utf-8", "backslashreplace").decode()
        raise Refused(f"the archive holds {brief(spelled)}, whose name is not in UTF-8: {AGAIN}") from None


def inside(name: str) -> Parts:
    """A member's name in its parts.

    Raises:
        Refused: when it is absolute or goes up.
    """
    parts = tuple(part for part in on_disk(name).split("/") if part not in ("", "."))
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise Refused(f"the archive holds {brief(name)}, which would land outside its folder")
    if len(parts) > DEEPEST:
        raise Refused(f"the archive holds {brief(name)}, which lies more than {DEEPEST} folders deep")
    return parts


def is_litter(member: Member) -> bool:
    """Whether a member is only the archiver's own: what file managers put beside a person's files."""
    if member.parts[0] == "__MACOSX" or (member.parts[-1].lower() in LITTER and not member.folder):
        return True
    if member.read and member.parts[-1].startswith("._"):
        with member.read() as source:
            return source.read(len(APPLE_DOUBLE)) == APPLE_DOUBLE
    return False
