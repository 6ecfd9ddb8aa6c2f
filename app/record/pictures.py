"""Pictures of parts on disk: which are kept, under what name, and how they are written.

PNG with OpenCV's own settings: measured on pictures of 1280 x 1024 px with noise, every higher level of compression
took longer and came out larger, TIFF took as long and came out larger, and lossless WebP took seven times as long for
2 % less.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import quote, unquote

import cv2
import numpy as np

from app.errors import RecordError
from app.record.walltime import moment
from app.types import PASS, Image

PREVIEW_PX = 480
PREVIEWS_KEPT = 24
_PREVIEW_QUALITY = 75
_DRAFT = ".draft"
_NAME = re.compile(r"^lane(\d+)-(\d+)-(\d+)-(.+)-(\d+)\.png$")


class PictureKind(str, Enum):
    """Why a picture is kept."""

    PASS = "pass"  # noqa: S105 - the destination
    FLAGGED = "flagged"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Shot:
    """Which picture of which part.

    Attributes:
        lane: The lane.
        epoch: The part's epoch.
        part_id: The part.
        camera: The camera.
        exposure: Which of the part's exposures.
        wall_us: When it was judged, in microseconds since 1970 UTC.
    """

    lane: int
    epoch: int
    part_id: int
    camera: str
    exposure: int
    wall_us: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture that lies on the disk as a whole.

    Attributes:
        shot: What it shows.
        kind: Why it is kept.
        file: Its path below the folder of pictures.
        size: Bytes.
        sha256: Of the file, in hexadecimal.
    """

    shot: Shot
    kind: PictureKind
    file: str
    size: int
    sha256: str


def kind_of(destination: str, part_id: int, pass_every: int, *, is_flagged: bool) -> PictureKind | None:
    """Why a part's pictures are kept; `None` where they are not.

    Args:
        destination: Where its verdict sends it.
        part_id: Its number: of passed parts every `pass_every`th is kept.
        pass_every: 0 keeps none.
        is_flagged: A person should look at it.
    """
    if destination != PASS:
        return PictureKind.REJECT
    if is_flagged:
        return PictureKind.FLAGGED
    return PictureKind.PASS if pass_every and part_id % pass_every == 0 else None


def file_of(shot: Shot) -> str:
    """The picture's path below the folder: a folder per day (UTC), a name that says what it shows."""
    name = f"lane{shot.lane}-{shot.epoch}-{shot.part_id}-{quote(shot.camera, safe=' ')}-{shot.exposure}.png"
    return f"{moment(shot.wall_us):%Y-%m-%d}/{name}"


def shot_of(path: Path) -> Shot | None:
    """What the picture in a file shows, by its name; `None` for a file that is no picture of ours."""
    match = _NAME.match(path.name)
    if match is None:
        return None
    lane, epoch, part_id, camera, exposure = match.groups()
    wall_us = path.stat().st_mtime_ns // 1000
    return Shot(int(lane), int(epoch), int(part_id), unquote(camera), int(exposure), wall_us)


def store(folder: Path, shot: Shot, kind: PictureKind, image: Image) -> Stored:
    """Writes a picture without loss. It is on the disk, and whole, when this returns.

    Args:
        folder: The folder of pictures.
        shot: What it shows.
        kind: Why it is kept.
        image: uint8, (height, width) or (height, width, 3) in BGR.

    Raises:
        RecordError: It cannot be encoded or written; nothing is left of it.
    """
    content = _encoded(".png", image, ())
    file = file_of(shot)
    _write(folder / file, content, is_durable=True)
    return Stored(shot, kind, file, len(content), hashlib.sha256(content).hexdigest())


def write_preview(folder: Path, shot: Shot, image: Image) -> Path:
    """Writes a small JPEG for the page, at most PREVIEW_PX wide.

    Raises:
        RecordError: It cannot be encoded or written.
    """
    height, width = image.shape[:2]
    if width > PREVIEW_PX:
        size = (PREVIEW_PX, max(1, round(height * PREVIEW_PX / width)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    path = folder / f"lane{shot.lane}-{shot.epoch}-{shot.part_id}-{quote(shot.camera, safe='')}.jpg"
    _write(path, _encoded(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, _PREVIEW_QUALITY)), is_durable=False)
    return path


def remove_drafts(folder: Path) -> None:
    """Takes away what a recorder that died has left half written."""
    for draft in folder.glob(f"*{_DRAFT}"):
        draft.unlink(missing_ok=True)


def _encoded(suffix: str, image: Image, settings: tuple[int, ...]) -> bytes:
    try:
        is_done, content = cv2.imencode(suffix, image, settings)
    except cv2.error as error:
        raise RecordError(
            f"a picture of {image.shape} cannot be encoded as {suffix}: {error}", "report this"
        ) from error
    if not is_done:
        raise RecordError(f"a picture of {image.shape} cannot be encoded as {suffix}", "report this")
    return bytes(content)


def _write(path: Path, content: bytes, *, is_durable: bool) -> None:
    draft = path.with_name(path.name + _DRAFT)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("wb") as file:
                file.write(content)
                if is_durable:
                    file.flush()
                    os.fdatasync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}", "make room, or check the folder") from error
