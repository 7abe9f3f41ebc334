"""How much may be written while fetching: the disk belongs to the services that run beside it."""

import shutil
from pathlib import Path

from ..host.text import size
from .job import Refused

MARGIN = 1 << 30  # bytes that stay free, or a twentieth of a small disk
STEP = 1 << 20  # bytes between two looks at the disk


def room(folder: Path) -> int:
    """How many bytes may still be written to a folder's disk."""
    disk = shutil.disk_usage(folder)
    return disk.free - min(MARGIN, disk.total // 20)


class Allowance:
    """What may be written to a folder's disk in one go.

    Args:
        most: bytes in all, whatever room there is.
        beyond: the reason when there are more, as the end of a sentence.
    """

    def __init__(self, folder: Path, most: int, beyond: str) -> None:
        self.folder, self.most, self.beyond = folder, most, beyond
        self.taken, self.next_look = 0, 0

    def take(self, count: int) -> None:
        """Account for bytes that are about to be written.

        Raises:
            Refused: when they are too many, or the disk has no room for them.
        """
        self.taken += count
        if self.taken > self.most:
            raise Refused(self.beyond)
        if self.taken >= self.next_look:
            require_room(self.folder, count)
            self.next_look = self.taken + STEP


def require_room(folder: Path, count: int) -> None:
    """Raise Refused when the disk has no room for so many bytes."""
    if count > (free := room(folder)):
        raise Refused(f"the disk has no room for it: {size(count)} more, and there is {size(max(0, free))} to use")
