"""Pictures of parts for the browser: whole as they were kept, and small for lists, from a bounded cache on the disk."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import cv2
import numpy as np

from app.errors import RecordError
from app.record.readers import Records
from app.record.told import PictureRecord

THUMB_PX = 160
MOST_THUMBS = 4_000
_QUALITY = 80
_DRAFT = ".draft"
_AT_ONCE = 2
"""Thumbnails that are made at a time: the line has the processors first."""


class Pictures:
    """The pictures of one box, for reading.

    Args:
        records: The register of pictures.
        folder: Where they lie.
        cache: Where thumbnails are kept; made when the first one is.
        most: At most so many thumbnails are kept; the ones made first go first.
    """

    def __init__(self, records: Records, folder: Path, cache: Path, most: int = MOST_THUMBS) -> None:
        self._records = records
        self._folder = folder
        self._cache = cache
        self._most = most
        self._making = threading.BoundedSemaphore(_AT_ONCE)
        self._tidying = threading.Lock()
        self._count = -1

    def find(self, number: int) -> PictureRecord | None:
        """What the register knows of a picture; `None` for a number that it does not have.

        Raises:
            RecordError: The register cannot be read.
        """
        return self._records.picture(number)

    def file(self, picture: PictureRecord) -> Path | None:
        """The file of a picture; `None` where it is gone, or the register names none within the folder."""
        if picture.gone is not None:
            return None
        root = self._folder.resolve()
        path = (root / picture.file).resolve()
        return path if path.is_relative_to(root) and path.is_file() else None

    def thumb(self, picture: PictureRecord) -> bytes | None:
        """A JPEG of at most THUMB_PX on its longer side; `None` where the picture is gone.

        Raises:
            RecordError: The file is no picture.
        """
        path = self.file(picture)
        if path is None:
            return None
        kept = self._cache / f"{picture.number}-{picture.sha256[:16]}.jpg"
        try:
            return kept.read_bytes()
        except OSError:
            pass
        with self._making:
            content = _small(path)
        self._keep(kept, content)
        return content

    def _keep(self, path: Path, content: bytes) -> None:
        """Without a cache each thumbnail is made anew, so a disk that is full is no error here."""
        draft = path.with_name(f"{path.name}.{threading.get_ident()}{_DRAFT}")
        try:
            self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.write_bytes(content)
            draft.replace(path)
            self._tidy()
        except OSError:
            draft.unlink(missing_ok=True)

    def _tidy(self) -> None:
        with self._tidying:
            if self._count < 0:
                self._count = sum(1 for _ in os.scandir(self._cache))
            else:
                self._count += 1
            if self._count <= self._most:
                return
            oldest = sorted(os.scandir(self._cache), key=lambda each: each.stat().st_mtime_ns)
            # A quarter at a time: a folder that is full is not sorted for every picture.
            for each in oldest[: max(1, len(oldest) - 3 * self._most // 4)]:
                Path(each.path).unlink(missing_ok=True)
            self._count = -1


def _small(path: Path) -> bytes:
    """Decodes at a quarter of the size where the format can do that; JPEG can, and PNG is made small afterwards."""
    image = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_4 if path.suffix == ".jpg" else cv2.IMREAD_COLOR)
    if image is None:
        raise RecordError(f"{path.name} is no picture that can be read", "see whether the disk is damaged")
    height, width = image.shape[:2]
    scale = min(1.0, THUMB_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return bytes(cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1])
