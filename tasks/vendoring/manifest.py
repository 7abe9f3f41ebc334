"""The manifest of a fetched folder: what was put there, so that an edit by hand is seen and never lost.

It lies inside the folder and comes into place by the same rename, so that there is no moment in which a folder
stands without it. It holds nothing of this machine or this hour: the same pin gives the same bytes everywhere.
"""

import os
import stat
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from enum import Enum
from pathlib import Path

import msgspec

from ..host import files

NAME = ".pin.json"
CACHE = ".cache"
TMP = ".tmp"
FRESH = 100_000_000  # nanoseconds: a file this young may change again without its times showing it


class Manifest(msgspec.Struct, frozen=True):
    """A pin (its line, see `pins.describe`) and every file that came with it, with its fingerprint."""

    pin: str
    files: dict[str, str]


class Known(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was when its content was last read; times in nanoseconds."""

    size: int
    changed: int
    touched: int  # the inode's own time, which nobody can set
    inode: int
    fingerprint: str


class Kind(Enum):
    """How a library's folder stands to its pin."""

    READY = "as its pin says"
    MISSING = "missing"
    OUTDATED = "at another pin than vendor.yaml says"
    ALTERED = "altered"
    FOREIGN = "not made by fetch-vendor"


class State(msgspec.Struct, frozen=True):
    """What was found, and the files that were altered, added or removed."""

    kind: Kind
    files: tuple[str, ...] = ()

    @property
    def edited(self) -> bool:
        """Whether there is something that fetching could not bring back."""
        return self.kind in (Kind.ALTERED, Kind.FOREIGN)


def write(folder: Path, pin: str) -> None:
    """Write the manifest of a folder that is complete."""
    fingerprints, _ = scan(folder, {})
    manifest = Manifest(pin, dict(sorted(fingerprints.items())))
    (folder / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))


def state(vendor: Path, name: str, pin: str = "", keep: bool = True) -> State:
    """How `vendor/name` stands to a pin (its line; "" if it has none). Reads only what changed since last time.

    Args:
        keep: whether what is read now is remembered for the next time.
    """
    folder = vendor / name
    if not os.path.lexists(folder):
        return State(Kind.MISSING)
    if folder.is_symlink() or not folder.is_dir():
        return State(Kind.FOREIGN)
    try:
        manifest = msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except FileNotFoundError:
        return State(Kind.FOREIGN if any(folder.iterdir()) else Kind.MISSING)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return State(Kind.FOREIGN)
    known = recall(vendor, name)
    found, fresh = scan(folder, known)
    if keep and fresh != known:
        remember(vendor, name, fresh)
    if found != manifest.files:
        every = sorted(found.keys() | manifest.files.keys())
        return State(Kind.ALTERED, tuple(path for path in every if found.get(path) != manifest.files.get(path)))
    return State(Kind.READY if manifest.pin == pin else Kind.OUTDATED)


def scan(folder: Path, known: Mapping[str, Known]) -> tuple[dict[str, str], dict[str, Known]]:
    """Every file of a folder with its fingerprint, and what to remember; one that is as `known` is not read again."""
    fingerprints: dict[str, str] = {}
    fresh: dict[str, Known] = {}
    old = time.time_ns() - FRESH
    for entry, path in walk(folder):
        try:
            facts = entry.stat(follow_symlinks=False)
            before = known.get(path)
            now = (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)
            if before and now == (before.size, before.changed, before.touched, before.inode):
                fingerprints[path] = before.fingerprint
            else:
                fingerprints[path] = fingerprint(Path(entry.path), facts.st_mode)
        except OSError as error:  # gone meanwhile, or not ours to read: no file that was fetched
            fingerprints[path] = f"unreadable: {error.strerror}"
            continue
        if max(facts.st_mtime_ns, facts.st_ctime_ns) < old:
            fresh[path] = Known(*now, fingerprints[path])
    return fingerprints, fresh


def walk(folder: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
    """All files and links below a folder but the manifest, with their paths from there; links are not followed."""
    todo = [("", str(folder))]
    while todo:
        above, place = todo.pop()
        with os.scandir(place) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    todo.append((f"{above}{entry.name}/", entry.path))
                elif above or entry.name != NAME:
                    yield entry, spelled_out(above + entry.name)


def spelled_out(path: str) -> str:
    """A path as text that JSON can hold: bytes that are no UTF-8 are spelled out, and no two paths become one."""
    return path.replace("\\", "\\\\").encode("utf-8", "backslashreplace").decode()


def fingerprint(path: Path, mode: int) -> str:
    """What a file is and holds, in one line: two files with one fingerprint are the same in an image."""
    if stat.S_ISLNK(mode):
        return f"link {spelled_out(os.fspath(path.readlink()))}"
    if not stat.S_ISREG(mode):
        return "neither file nor link"
    from hashlib import file_digest

    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return f"{'program' if mode & stat.S_IXUSR else 'file'} {digest}"


def recall(vendor: Path, name: str) -> dict[str, Known]:
    """What is remembered of a folder's files. It only saves reading: lost or broken, everything is read again."""
    try:
        return msgspec.json.decode((vendor / CACHE / f"{name}.json").read_bytes(), type=dict[str, Known])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def remember(vendor: Path, name: str, fresh: Mapping[str, Known]) -> None:
    """Keep for next time what was read of a folder's files; a vendor/ that cannot be written does without."""
    with suppress(OSError):
        (vendor / CACHE).mkdir(exist_ok=True)
        files.write(vendor / CACHE / f"{name}.json", msgspec.json.encode(fresh))


def unpinned(vendor: Path, pins: Container[str]) -> list[str]:
    """What lies in vendor/ and no pin speaks of. The base would take it in, but for what begins with a dot."""
    names = (path.name for path in vendor.iterdir())
    return sorted(name for name in names if not name.startswith(".") and name != "vendor.yaml" and name not in pins)
