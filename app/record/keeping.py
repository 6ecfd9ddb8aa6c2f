"""What the recorder does beside writing events: pictures into the register, retention, archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from app.config import StorageSettings
from app.record.archive import Archiver
from app.record.ledger import Ledger
from app.record.pictures import PictureKind, Stored
from app.record.register import Register
from app.record.retention import GB, Retention
from app.record.walltime import micros


class Keeping:
    """The keeping of pictures and old segments, in steps.

    Args:
        ledger: The ledger.
        pictures: The folder of pictures.
        storage: The rules.
        free: Tells how many bytes are free on the disk of a folder; by default it is asked.

    Attributes:
        is_behind: The last step left something to do.

    Raises:
        RecordError: Register or folder cannot be read.
    """

    def __init__(
        self, ledger: Ledger, pictures: Path, storage: StorageSettings, free: Callable[[Path], int] | None = None
    ) -> None:
        self.is_behind = False
        self._register = Register(ledger, pictures)
        self._register.adopt()
        self._retention = Retention(self._register, pictures, storage, free)
        self._archiver = Archiver(ledger, storage.archive_days)

    @property
    def used_gb(self) -> float:
        """Room that the pictures take."""
        return self._retention.used_bytes / GB

    @property
    def free_gb(self) -> float:
        """Room that is left on their disk."""
        return self._retention.free_bytes / GB

    @property
    def deleted(self) -> Counter[PictureKind]:
        """Pictures deleted since the start, by kind."""
        return self._retention.deleted

    @property
    def told(self) -> str:
        """What was deleted last and why, in words."""
        return self._retention.told

    def policy(self) -> str:
        """What is kept now, in words."""
        return self._retention.policy()

    def may_keep(self, kind: PictureKind) -> bool:
        """Whether a new picture of this kind may be written now."""
        return self._retention.may_keep(kind)

    def note(self, pictures: Sequence[Stored]) -> None:
        """Enters pictures that were written.

        Raises:
            RecordError: None was entered.
        """
        self._register.note(pictures)
        for each in pictures:
            self._retention.added(each.size)

    def step(self, wall: datetime) -> None:
        """Deletes a few pictures that must go, and moves a piece of an old segment.

        Raises:
            RecordError: Something cannot be deleted or moved; it is tried again with the next step.
        """
        self.is_behind = False
        deleted = self._retention.step(micros(wall))
        moved = self._archiver.step(wall)
        self.is_behind = bool(deleted) or moved

    def close(self) -> None:
        """Gives up what is not complete. Idempotent."""
        self._archiver.close()
