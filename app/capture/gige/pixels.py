"""Pixel formats of GenICam cameras (PFNC 2.4), made into uint8 pictures in mono or BGR."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from app.capture.pictures import with_channels
from app.types import Image


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """One way in which pixels lie in memory.

    Attributes:
        name: Its name in the PFNC.
        code: Its number there.
        pixel_bytes: Bytes of a pixel.
        decode: Makes a new picture from bytes, (height, width * pixel_bytes) uint8, for 1 or 3 channels.
    """

    name: str
    code: int
    pixel_bytes: int
    decode: Callable[[NDArray[np.uint8], int], Image]


def _mono8(rows: NDArray[np.uint8], channels: int) -> Image:
    return with_channels(rows, 3) if channels == 3 else rows.copy()  # noqa: PLR2004


def _mono_deep(bits: int) -> Callable[[NDArray[np.uint8], int], Image]:
    """The upper 8 of the bits that count; the pixel is little-endian and fills its 16 bits from below."""

    def decode(rows: NDArray[np.uint8], channels: int) -> Image:
        return with_channels((rows.view("<u2") >> (bits - 8)).astype(np.uint8), channels)

    return decode


def _coloured(code: int, grey: int) -> Callable[[NDArray[np.uint8], int], Image]:
    def decode(rows: NDArray[np.uint8], channels: int) -> Image:
        return np.asarray(cv2.cvtColor(rows, code if channels == 3 else grey), np.uint8)  # noqa: PLR2004

    return decode


def _rgb8(rows: NDArray[np.uint8], channels: int) -> Image:
    pixels = rows.reshape(rows.shape[0], -1, 3)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if channels == 3 else cv2.COLOR_RGB2GRAY), np.uint8)  # noqa: PLR2004


def _bgr8(rows: NDArray[np.uint8], channels: int) -> Image:
    pixels = rows.reshape(rows.shape[0], -1, 3)
    return pixels.copy() if channels == 3 else with_channels(pixels, 1)  # noqa: PLR2004


# GenICam names a Bayer pattern by the first two pixels of the first row. OpenCV's short names go by the second row and
# second column (its BayerBG is GenICam's BayerRG); its names with four letters are unmistakable.
_ALL = (
    PixelFormat("Mono8", 0x0108_0001, 1, _mono8),
    PixelFormat("Mono16", 0x0110_0007, 2, _mono_deep(16)),
    PixelFormat("Mono12", 0x0110_0005, 2, _mono_deep(12)),
    PixelFormat("Mono10", 0x0110_0003, 2, _mono_deep(10)),
    PixelFormat("BayerRG8", 0x0108_0009, 1, _coloured(cv2.COLOR_BayerRGGB2BGR, cv2.COLOR_BayerRGGB2GRAY)),
    PixelFormat("BayerGR8", 0x0108_0008, 1, _coloured(cv2.COLOR_BayerGRBG2BGR, cv2.COLOR_BayerGRBG2GRAY)),
    PixelFormat("BayerGB8", 0x0108_000A, 1, _coloured(cv2.COLOR_BayerGBRG2BGR, cv2.COLOR_BayerGBRG2GRAY)),
    PixelFormat("BayerBG8", 0x0108_000B, 1, _coloured(cv2.COLOR_BayerBGGR2BGR, cv2.COLOR_BayerBGGR2GRAY)),
    PixelFormat("BGR8", 0x0218_0015, 3, _bgr8),
    PixelFormat("RGB8", 0x0218_0014, 3, _rgb8),
)

FORMATS: Mapping[str, PixelFormat] = MappingProxyType({each.name: each for each in _ALL})
"""What this driver understands, by name."""

# Bayer before BGR8: a third of the bytes on the network, and the host has the colours in a millisecond.
_SUITABLE = {
    1: tuple(each for each in _ALL if each.name.startswith("Mono")),
    3: tuple(each for each in _ALL if not each.name.startswith("Mono")),
}


def suitable_format(offered: Collection[int], channels: int) -> PixelFormat | None:
    """The first of the formats that suit a number of channels that the camera offers.

    Args:
        offered: Codes of the formats that the camera has.
        channels: 1 or 3.
    """
    return next((each for each in _SUITABLE[channels] if each.code in offered), None)


def decode(
    memory: NDArray[np.uint8], size_px: tuple[int, int], padding_bytes: int, pixels: PixelFormat, channels: int
) -> Image:
    """Makes a picture of its own from the memory of a buffer.

    Args:
        memory: uint8, flat; the picture lies at its beginning.
        size_px: Width and height.
        padding_bytes: Bytes at the end of each row that are no pixels.
        pixels: How they lie there.
        channels: 1 for mono, 3 for BGR.

    Returns:
        uint8, (height, width) or (height, width, 3); it shares nothing with the memory.
    """
    width, height = size_px
    line = width * pixels.pixel_bytes
    rows = memory[: (line + padding_bytes) * height].reshape(height, line + padding_bytes)[:, :line]
    return pixels.decode(np.ascontiguousarray(rows), channels)
