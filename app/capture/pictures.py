"""Picture files: the one place that reads them, and that refuses those that would judge a part wrongly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.capture.headers import BrokenFileError, read_header
from app.errors import DataError
from app.types import Image

MAX_FILE_BYTES = 500_000_000
MAX_PIXELS = 100_000_000
SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg", ".pgm", ".ppm")
_FORMATS = "PNG, BMP, TIFF, JPEG, PGM or PPM"
_BITS = 8
_OPAQUE = 255


def read_picture(path: Path) -> Image:
    """Reads a picture as its pixels are stored; no rotation by EXIF, as annotations are made on stored pixels.

    Args:
        path: A PNG, BMP, TIFF, JPEG, PGM or PPM file with up to 8 bits per channel.

    Returns:
        uint8, (height, width) or (height, width, 3) in BGR.

    Raises:
        DataError: Absent, unreadable, empty, no picture, damaged, truncated, with more than 8 bits per channel, with
            transparent pixels, or over 100 megapixels. The last is known before any of it is decoded.
    """
    content = _read_file(path)
    try:
        header = read_header(content)
    except BrokenFileError as error:
        raise DataError(f"{path} is damaged: {error}", "copy it again or leave it out") from error
    if header is None:
        raise DataError(f"{path} is no picture of a known format", f"give {_FORMATS}")
    if header.width_px * header.height_px > MAX_PIXELS:
        raise DataError(
            f"{path} has {header.width_px} x {header.height_px} px, over {MAX_PIXELS // 1_000_000} megapixels",
            "crop it or scale it down",
        )
    if header.bits > _BITS:
        raise DataError(f"{path} has {header.bits} bits per channel", "convert it to 8 bits")
    try:
        with quiet():
            picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DataError(f"{path} is damaged: {header.format} data that OpenCV refuses", "copy it again") from error
    if picture is None:
        raise DataError(f"{path} is damaged: {header.format} data that cannot be decoded", "copy it again")
    return _as_image(path, np.asarray(picture))


def list_pictures(folder: Path) -> tuple[Path, ...]:
    """The picture files of a folder in name order; other files are passed over.

    Raises:
        DataError: No such folder, unreadable, or without pictures.
    """
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    except OSError as error:
        raise DataError(f"{folder} cannot be read as a folder: {error.strerror}", "check the path") from error
    if not found:
        raise DataError(f"{folder} holds no pictures", f"put {_FORMATS} files there")
    return tuple(found)


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps OpenCV from writing to stderr what an error of ours says better."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFMPEG has a log of its own; OpenCV reads this once
    # OpenCV 5 moved these two into a module of their own.
    logging: Any = getattr(cv2.utils, "logging", cv2)
    level = logging.getLogLevel()
    logging.setLogLevel(0)
    try:
        yield
    finally:
        logging.setLogLevel(level)


def with_channels(image: Image, channels: int) -> Image:
    """The picture in mono (1) or BGR (3)."""
    if (1 if image.ndim == 2 else 3) == channels:  # noqa: PLR2004
        return image
    code = cv2.COLOR_BGR2GRAY if channels == 1 else cv2.COLOR_GRAY2BGR
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def _read_file(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise DataError(f"{path} is larger than {MAX_FILE_BYTES // 1_000_000} MB", "give a smaller picture")
        content = path.read_bytes()
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder", "name a picture file") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error
    if not content:
        raise DataError(f"{path} is empty (0 bytes)", "copy it again or leave it out")
    return content


def _as_image(path: Path, picture: NDArray[Any]) -> Image:
    if picture.dtype != np.uint8:
        raise DataError(f"{path} holds {picture.dtype} pixels", "convert it to 8 bits per channel")
    if picture.ndim == 3 and picture.shape[2] == 4:  # noqa: PLR2004
        if picture[:, :, 3].min() < _OPAQUE:
            raise DataError(f"{path} has transparent pixels", "save it without an alpha channel")
        picture = picture[:, :, :3]
    if picture.ndim == 3 and picture.shape[2] == 1:  # noqa: PLR2004
        picture = picture[:, :, 0]
    if picture.ndim != 2 and picture.shape[2] != 3:  # noqa: PLR2004
        raise DataError(f"{path} has {picture.shape[2]} channels", "give a grey or a colour picture")
    return np.ascontiguousarray(picture)
