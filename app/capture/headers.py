"""What picture files say of themselves, read before any of their pixels is decoded.

OpenCV decodes what it can of a damaged file and may hand out grey where the rest was: so a file must be whole before
it is decoded. JPEG: ITU-T T.81, annex B. PNG: W3C PNG, third edition. BMP: the BITMAPINFOHEADER. TIFF: revision 6.0.
PGM and PPM: the Netpbm formats P5 and P6.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_JPEG_SCAN = 0xDA
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_FILL = 0xFF
_PNG_START = b"\x89PNG\r\n\x1a\n"
_BMP_UNCOMPRESSED = 0
_TIFF_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8}
_NETPBM = re.compile(rb"P([56])\s(?:\s*#[^\n]*\n)*\s*(\d+)\s+(?:#[^\n]*\n\s*)*(\d+)\s+(?:#[^\n]*\n\s*)*(\d+)\s")


class BrokenFileError(ValueError):
    """A file is damaged; the text says how, as in "it ends before its picture does"."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file promises.

    Attributes:
        format: Such as `PNG`.
        width_px: Width.
        height_px: Height.
        bits: Bits per channel.
    """

    format: str
    width_px: int
    height_px: int
    bits: int


def read_header(content: bytes) -> Header | None:
    """Reads the header of a whole file and checks that the file is whole.

    Args:
        content: The file.

    Returns:
        The header; `None` for what is no picture of a known format.

    Raises:
        BrokenFileError: Truncated or damaged.
    """
    for start, read in _READERS:
        if content.startswith(start):
            try:
                return read(content)
            except (struct.error, IndexError) as error:
                raise BrokenFileError("it ends before its picture does") from error
    return None


def _read_jpeg(content: bytes) -> Header:
    header, place = None, 2
    while True:
        if content[place] != _JPEG_FILL:
            raise BrokenFileError(f"byte {place} should begin a JPEG segment and does not")
        marker = content[place + 1]
        if marker == _JPEG_FILL:
            place += 1
        elif marker in _JPEG_BARE:
            place += 2
        else:
            (length,) = struct.unpack_from(">H", content, place + 2)
            if marker in _JPEG_FRAMES:
                bits, height, width = struct.unpack_from(">BHH", content, place + 4)
                header = Header("JPEG", width, height, bits)
            place += 2 + length
            if marker == _JPEG_SCAN:
                break
    # Within the entropy-coded data every FF is followed by 00 or a restart marker, so this finds the true end.
    if header is None or content.find(_JPEG_END, place) < 0:
        raise BrokenFileError("it ends before its picture does")
    return header


def _read_png(content: bytes) -> Header:
    width, height, bits = struct.unpack_from(">IIB", content, 16)
    place = len(_PNG_START)
    while True:
        length, kind = struct.unpack_from(">I4s", content, place)
        (check,) = struct.unpack_from(">I", content, place + 8 + length)
        if zlib.crc32(memoryview(content)[place + 4 : place + 8 + length]) != check:
            raise BrokenFileError(f"the checksum of its chunk at byte {place} is wrong")
        if kind == b"IEND":
            return Header("PNG", width, height, bits)
        place += 12 + length


def _read_bmp(content: bytes) -> Header:
    (data_at,) = struct.unpack_from("<I", content, 10)
    width, height, _, bits, compression = struct.unpack_from("<iiHHI", content, 18)
    row = (width * bits + 31) // 32 * 4
    if compression == _BMP_UNCOMPRESSED and len(content) < data_at + row * abs(height):
        raise BrokenFileError("it ends before its picture does")
    # 16, 24 and 32 are bits of a whole pixel; each channel has at most 8.
    return Header("BMP", abs(width), abs(height), 8)


def _read_tiff(content: bytes) -> Header:
    order = _TIFF_ORDERS[content[:4]]
    (directory,) = struct.unpack_from(order + "I", content, 4)
    tags = _tiff_tags(content, order, directory)
    if not tags.get(256) or not tags.get(257):
        raise BrokenFileError("it does not say how large its picture is")
    offsets, sizes = tags.get(273, tags.get(324, [])), tags.get(279, tags.get(325, []))
    if any(at + size > len(content) for at, size in zip(offsets, sizes, strict=False)) or not offsets:
        raise BrokenFileError("it ends before its picture does")
    return Header("TIFF", tags[256][0], tags[257][0], max(tags.get(258, [1])))


def _tiff_tags(content: bytes, order: str, directory: int) -> dict[int, list[int]]:
    """The whole numbers of a directory, by tag."""
    (count,) = struct.unpack_from(order + "H", content, directory)
    tags: dict[int, list[int]] = {}
    for index in range(count):
        place = directory + 2 + 12 * index
        tag, kind, length = struct.unpack_from(order + "HHI", content, place)
        code = {1: "B", 3: "H", 4: "I"}.get(kind)
        if code is None:
            continue
        size = _TIFF_SIZES[kind] * length
        at = place + 8 if size <= 4 else struct.unpack_from(order + "I", content, place + 8)[0]  # noqa: PLR2004
        if at + size > len(content):
            raise BrokenFileError("it ends before its picture does")
        tags[tag] = list(struct.unpack_from(f"{order}{length}{code}", content, at))
    return tags


def _read_netpbm(content: bytes) -> Header:
    match = _NETPBM.match(content)
    if match is None:
        raise BrokenFileError("its header is not that of a PGM or PPM file")
    kind, width, height, most = (int(text) for text in match.groups())
    bits = 8 if most <= 255 else 16  # noqa: PLR2004
    if len(content) < match.end() + width * height * (3 if kind == 6 else 1) * bits // 8:  # noqa: PLR2004
        raise BrokenFileError("it ends before its picture does")
    return Header("PPM" if kind == 6 else "PGM", width, height, bits)  # noqa: PLR2004


_READERS: tuple[tuple[bytes, Callable[[bytes], Header]], ...] = (
    (_JPEG_START, _read_jpeg),
    (_PNG_START, _read_png),
    (b"BM", _read_bmp),
    (b"II*\0", _read_tiff),
    (b"MM\0*", _read_tiff),
    (b"P5", _read_netpbm),
    (b"P6", _read_netpbm),
)
