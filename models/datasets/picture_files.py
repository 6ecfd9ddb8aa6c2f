"""What a picture's file says of itself, and a small grey copy of it: each picture is read and decoded once.

JPEG: ITU-T T.81, annex B. PNG: W3C PNG, third edition. EXIF: CIPA DC-008, tag 0x0112 (orientation).
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import DataError

COPY_PX = 128
"""The longer side of the grey copy."""

_MOST_BYTES = 500_000_000
_MOST_PIXELS = 100_000_000
_FORMATS = (
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
)
_SUFFIXES = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "BMP": (".bmp",), "TIFF": (".tif", ".tiff")}
_JPEG_SCAN = 0xDA
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset({0x01, 0xFF, *range(0xD0, 0xD8)})
_ORIENTATION = 0x0112
_UPRIGHT = 1
_NEAR_GREY = 6  # what chroma subsampling and rounding add to a grey picture kept in colour


@dataclass(frozen=True, slots=True, eq=False)
class PictureFacts:
    """A picture, read once.

    Attributes:
        format: "JPEG", "PNG", "BMP" or "TIFF", by its content.
        width_px: Width of the stored pixels.
        height_px: Height of the stored pixels.
        channels: As stored: 1, 3 or 4.
        bits: Bits per channel: 8, 16 or 32.
        is_colour: It has colours that a grey camera would lose.
        has_alpha: Some pixel is transparent.
        is_turned: Its EXIF data asks viewers to turn or mirror it.
        is_lying: Its suffix names another format than its content.
        brightness: Mean grey level, 0 to 255.
        sha256: Of the file.
        size: Bytes of the file.
        copy: uint8 (h, w), grey, the longer side at most `COPY_PX`.
    """

    format: str
    width_px: int
    height_px: int
    channels: int
    bits: int
    is_colour: bool
    has_alpha: bool
    is_turned: bool
    is_lying: bool
    brightness: float
    sha256: str
    size: int
    copy: NDArray[np.uint8]


def look_at(path: Path) -> PictureFacts:
    """Reads and decodes a picture.

    Args:
        path: A PNG, JPEG, BMP or TIFF file.

    Raises:
        DataError: Absent, empty, no picture, truncated, or over 100 megapixels.
    """
    content = read_bytes(path)
    kind = next((name for start, name in _FORMATS if content.startswith(start)), "")
    if not kind:
        raise DataError(f"{path} is no picture of a known format", "give PNG, JPEG, BMP or TIFF files")
    if not _is_whole(content, kind):
        raise DataError(f"{path} is cut off: it ends before its picture does", "copy it again or leave it out")
    pixels = _decoded(path, content)
    grey = _grey(pixels)
    return PictureFacts(
        format=kind,
        width_px=pixels.shape[1],
        height_px=pixels.shape[0],
        channels=1 if pixels.ndim == 2 else pixels.shape[2],  # noqa: PLR2004
        bits=8 * pixels.dtype.itemsize,
        is_colour=_is_colour(pixels),
        has_alpha=_is_transparent(pixels),
        is_turned=kind == "JPEG" and _orientation(content) != _UPRIGHT,
        is_lying=path.suffix.lower() not in _SUFFIXES[kind],
        brightness=round(float(grey.mean()), 2),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        copy=small_copy(grey),
    )


def read_bytes(path: Path) -> bytes:
    """A file's content.

    Raises:
        DataError: Absent, unreadable, empty or over 500 MB.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path} is larger than {_MOST_BYTES // 1_000_000} MB", "give a smaller file")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", "check the path and its permissions") from error
    if not content:
        raise DataError(f"{path} is empty (0 bytes)", "copy it again or leave it out")
    return content


def small_copy(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with its longer side at `COPY_PX`, or as it is where it is smaller."""
    scale = COPY_PX / max(grey.shape)
    if scale >= 1:
        return np.array(grey, np.uint8)
    size = tuple(max(1, round(side * scale)) for side in grey.shape[::-1])
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _decoded(path: Path, content: bytes) -> NDArray[Any]:
    size = _promised_size(content)
    if size is not None and size[0] * size[1] > _MOST_PIXELS:
        most = f"over {_MOST_PIXELS // 1_000_000} megapixels"
        raise DataError(f"{path} has {size[0]} x {size[1]} px, {most}", "crop it or scale it down")
    try:
        # IMREAD_UNCHANGED also leaves the EXIF orientation aside.
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DataError(f"{path} is damaged: OpenCV refuses it", "copy it again or leave it out") from error
    if pixels is None or not pixels.size:
        raise DataError(f"{path} is damaged: it cannot be decoded", "copy it again or leave it out")
    return np.asarray(pixels)


def _promised_size(content: bytes) -> tuple[int, int] | None:
    """Width and height as the header has them, of the formats that compress well enough to hide a bomb."""
    if content.startswith(b"\x89PNG"):
        width, height = struct.unpack_from(">II", content, 16)
        return width, height
    if content.startswith(b"\xff\xd8"):
        for marker, at in _jpeg_segments(content):
            if marker in _JPEG_FRAMES:
                height, width = struct.unpack_from(">HH", content, at + 5)
                return width, height
    return None


def _is_whole(content: bytes, kind: str) -> bool:
    """OpenCV hands out grey where the rest of a truncated file was, so the end must be looked for."""
    try:
        if kind == "PNG":
            return b"IEND" in content[-64:] or content.rfind(b"IEND") > content.rfind(b"IDAT") > 0
        if kind == "JPEG":
            scan = next((at for marker, at in _jpeg_segments(content) if marker == _JPEG_SCAN), None)
            # In the scan's data every FF is followed by 00 or a restart marker: this finds the true end.
            return scan is not None and content.find(b"\xff\xd9", scan) > 0
    except (struct.error, IndexError):
        return False
    return True


def _jpeg_segments(content: bytes) -> list[tuple[int, int]]:
    """Marker and place (of its length field less two) of each segment up to the scan's data."""
    found, at = [], 2
    while content[at] == 0xFF:  # noqa: PLR2004
        marker = content[at + 1]
        if marker in _JPEG_BARE:
            at += 1 if marker == 0xFF else 2  # noqa: PLR2004
            continue
        (length,) = struct.unpack_from(">H", content, at + 2)
        found.append((marker, at))
        if marker == _JPEG_SCAN:
            break
        at += 2 + length
    return found


def _orientation(content: bytes) -> int:
    match = re.search(rb"Exif\0\0(II\*\0|MM\0\*)", content[:200_000])
    if match is None:
        return _UPRIGHT
    order, start = ("<" if match[1][:2] == b"II" else ">"), match.start(1)
    try:
        (directory,) = struct.unpack_from(f"{order}I", content, start + 4)
        (count,) = struct.unpack_from(f"{order}H", content, start + directory)
        for index in range(count):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", content, start + directory + 2 + 12 * index)
            if tag == _ORIENTATION:
                return int(value)
    except struct.error:
        pass
    return _UPRIGHT


def _grey(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype != np.uint8:
        top = np.iinfo(pixels.dtype).max if np.issubdtype(pixels.dtype, np.integer) else 1.0
        pixels = np.clip(pixels.astype(np.float32) * (255 / top), 0, 255).astype(np.uint8)
    if pixels.ndim == 2:  # noqa: PLR2004
        return np.ascontiguousarray(pixels)
    code = cv2.COLOR_BGRA2GRAY if pixels.shape[2] == 4 else cv2.COLOR_BGR2GRAY  # noqa: PLR2004
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), code), np.uint8)


def _is_colour(pixels: NDArray[Any]) -> bool:
    if pixels.ndim == 2:  # noqa: PLR2004
        return False
    few = pixels[::7, ::7, :3].astype(np.float32)
    return bool(np.percentile(few.max(2) - few.min(2), 99) > _NEAR_GREY)


def _is_transparent(pixels: NDArray[Any]) -> bool:
    if pixels.ndim == 2 or pixels.shape[2] != 4:  # noqa: PLR2004
        return False
    return bool(pixels[:, :, 3].min() < np.iinfo(pixels.dtype).max)
