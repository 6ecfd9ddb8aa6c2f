"""What of the pictures goes, and when: by age, by size, and when the disk runs full. The ledger never goes.

Planning is pure: from the oldest pictures, the room they take and the room that is left it says which go and why.
Passes go before flagged and rejected parts, the oldest first.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.config import StorageSettings
from app.record.pictures import PictureKind
from app.record.register import Drop, Kept, Register
from app.record.walltime import US_PER_DAY

GB = 1_000_000_000
STEP = 50
"""Pictures that one step deletes at most, so that no event waits long for it."""

LOOKED_AT = (PictureKind.FLAGGED, PictureKind.REJECT)


@dataclass(frozen=True, slots=True)
class Room:
    """How much there is.

    Attributes:
        used_bytes: What the pictures take.
        free_bytes: What is left on the disk.
    """

    used_bytes: int
    free_bytes: int


def may_keep(kind: PictureKind, free_bytes: int, storage: StorageSettings) -> bool:
    """Whether a new picture may be written: below `min_free_gb` no pass, below half of it no reject."""
    least = storage.min_free_gb * GB
    return free_bytes >= (least if kind is PictureKind.PASS else least / 2)


def plan(
    passes: Sequence[Kept], others: Sequence[Kept], room: Room, now_us: int, storage: StorageSettings
) -> list[Drop]:
    """Which of the oldest pictures go now.

    Args:
        passes: The oldest pictures of passes, oldest first; `STEP` of them unless there are no more.
        others: The oldest of flagged and rejected parts, likewise.
        room: How much room there is.
        now_us: The wall time in microseconds.
        storage: The rules.

    Returns:
        At most `STEP` pictures, in the order in which they go.
    """
    drops: dict[int, Drop] = {}
    too_old_us = now_us - round(storage.pictures_days * US_PER_DAY)
    for each in (*passes, *others):
        if each.taken_us < too_old_us:
            drops[each.number] = Drop(each, f"older than {storage.pictures_days:g} days")
    gone = sum(each.picture.size for each in drops.values())
    has_more_passes = len(passes) >= STEP
    order = list(passes) if has_more_passes else [*passes, *others]
    for each in order:
        if each.number in drops:
            continue
        why = _why(each, Room(room.used_bytes - gone, room.free_bytes + gone), storage)
        if why:
            drops[each.number] = Drop(each, why)
            gone += each.size
    return list(drops.values())[:STEP]


def _why(picture: Kept, room: Room, storage: StorageSettings) -> str:
    if room.used_bytes > storage.pictures_gb * GB:
        return f"more than {storage.pictures_gb:g} GB of pictures"
    if not may_keep(picture.kind, room.free_bytes, storage):
        return "the disk is nearly full"
    return ""


class Retention:
    """Keeps the pictures within the rules, a step at a time.

    Args:
        register: The register of pictures.
        folder: Their folder.
        storage: The rules.
        free: Tells how many bytes are free on the disk of a folder.

    Attributes:
        used_bytes: What the pictures take.
        free_bytes: What was left on the disk at the last look.
        deleted: How many were deleted, by kind.
        told: What was deleted last and why, in words; empty before the first.

    Raises:
        RecordError: The register cannot be read.
    """

    def __init__(
        self, register: Register, folder: Path, storage: StorageSettings, free: Callable[[Path], int] | None = None
    ) -> None:
        self._register = register
        self._folder = folder
        self._storage = storage
        self._free = free or free_bytes
        self.used_bytes = register.size()
        self.free_bytes = self._free(folder)
        self.deleted: Counter[PictureKind] = Counter()
        self.told = ""

    def may_keep(self, kind: PictureKind) -> bool:
        """Whether a new picture of this kind may be written now."""
        return may_keep(kind, self.free_bytes, self._storage)

    def look(self) -> None:
        """Measures what is left on the disk."""
        self.free_bytes = self._free(self._folder)

    def added(self, size: int) -> None:
        """Counts a picture that was written."""
        self.used_bytes += size

    def step(self, now_us: int) -> int:
        """Deletes what must go, at most `STEP` pictures.

        Returns:
            How many went; as long as there are any, more may have to.

        Raises:
            RecordError: A picture cannot be deleted.
        """
        self.look()
        passes = self._register.oldest((PictureKind.PASS,), STEP)
        others = self._register.oldest(LOOKED_AT, STEP)
        drops = plan(passes, others, Room(self.used_bytes, self.free_bytes), now_us, self._storage)
        if not drops:
            return 0
        self._register.remove(drops, now_us)
        self.used_bytes -= sum(each.picture.size for each in drops)
        self.deleted.update(each.picture.kind for each in drops)
        counted = Counter((each.picture.kind, each.why) for each in drops)
        self.told = "; ".join(f"{count} of kind {kind.value} deleted: {why}" for (kind, why), count in counted.items())
        return len(drops)

    def policy(self) -> str:
        """What is kept now, in words."""
        return "; ".join(_told(self._storage, self.free_bytes))


def free_bytes(folder: Path) -> int:
    """What is left on the disk of a folder, or of what will hold it."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _told(storage: StorageSettings, free: int) -> Iterator[str]:
    sampled = f"one pass in {storage.pass_every}" if storage.pass_every else "no passes"
    low = f"{free / GB:.2f} GB free, below"
    if not may_keep(PictureKind.REJECT, free, storage):
        yield f"no picture is kept: {low} half of {storage.min_free_gb:g} GB"
    elif not may_keep(PictureKind.PASS, free, storage):
        yield f"pictures of passes are not kept: {low} {storage.min_free_gb:g} GB"
    else:
        yield f"rejected and flagged parts and {sampled} keep their pictures"
    yield f"for {storage.pictures_days:g} days and up to {storage.pictures_gb:g} GB"
