"""The structures and requests of the kernel's Video4Linux interface that we use (linux/videodev2.h)."""

from __future__ import annotations

import ctypes
from typing import Any

_WRITE, _READ = 1, 2


class Capability(ctypes.Structure):
    """`struct v4l2_capability`."""

    _fields_ = (
        ("driver", ctypes.c_char * 16),
        ("card", ctypes.c_char * 32),
        ("bus_info", ctypes.c_char * 32),
        ("version", ctypes.c_uint32),
        ("capabilities", ctypes.c_uint32),
        ("device_caps", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
    )


class QueryControl(ctypes.Structure):
    """`struct v4l2_query_ext_ctrl`."""

    _fields_ = (
        ("id", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("name", ctypes.c_char * 32),
        ("minimum", ctypes.c_int64),
        ("maximum", ctypes.c_int64),
        ("step", ctypes.c_uint64),
        ("default_value", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("elem_size", ctypes.c_uint32),
        ("elems", ctypes.c_uint32),
        ("nr_of_dims", ctypes.c_uint32),
        ("dims", ctypes.c_uint32 * 4),
        ("reserved", ctypes.c_uint32 * 32),
    )


class _MenuEntry(ctypes.Union):
    _pack_ = 1
    _fields_ = (("name", ctypes.c_char * 32), ("value", ctypes.c_int64))


class QueryMenu(ctypes.Structure):
    """`struct v4l2_querymenu`."""

    _pack_ = 1
    _anonymous_ = ("entry",)
    _fields_ = (
        ("id", ctypes.c_uint32),
        ("index", ctypes.c_uint32),
        ("entry", _MenuEntry),
        ("reserved", ctypes.c_uint32),
    )


class _ControlValue(ctypes.Union):
    _pack_ = 1
    _fields_ = (("value", ctypes.c_int32), ("value64", ctypes.c_int64), ("string", ctypes.c_void_p))


class Control(ctypes.Structure):
    """`struct v4l2_ext_control`."""

    _pack_ = 1
    _anonymous_ = ("content",)
    _fields_ = (
        ("id", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("reserved2", ctypes.c_uint32),
        ("content", _ControlValue),
    )


class ControlList(ctypes.Structure):
    """`struct v4l2_ext_controls`."""

    _fields_ = (
        ("which", ctypes.c_uint32),
        ("count", ctypes.c_uint32),
        ("error_idx", ctypes.c_uint32),
        ("request_fd", ctypes.c_int32),
        ("reserved", ctypes.c_uint32),
        ("controls", ctypes.POINTER(Control)),
    )


class BufferRequest(ctypes.Structure):
    """`struct v4l2_requestbuffers`."""

    _fields_ = (
        ("count", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("memory", ctypes.c_uint32),
        ("capabilities", ctypes.c_uint32),
        ("flags", ctypes.c_uint8),
        ("reserved", ctypes.c_uint8 * 3),
    )


class FormatEntry(ctypes.Structure):
    """`struct v4l2_fmtdesc`."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("description", ctypes.c_char * 32),
        ("pixelformat", ctypes.c_uint32),
        ("mbus_code", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
    )


class SizeEntry(ctypes.Structure):
    """`struct v4l2_frmsizeenum`; `extent` is width and height, or least, greatest and step of width, then of height."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("pixel_format", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("extent", ctypes.c_uint32 * 6),
        ("reserved", ctypes.c_uint32 * 2),
    )


def request(direction: int, number: int, layout: type[Any]) -> int:
    """The number of an ioctl request of group 'V', as the kernel's macro _IOC makes it.

    Args:
        direction: 1 writes, 2 reads, 3 does both.
        number: Within the group.
        layout: The structure that goes with it.
    """
    return direction << 30 | ctypes.sizeof(layout) << 16 | ord("V") << 8 | number


QUERYCAP = request(_READ, 0, Capability)
ENUM_FMT = request(_READ | _WRITE, 2, FormatEntry)
REQBUFS = request(_READ | _WRITE, 8, BufferRequest)
QUERYMENU = request(_READ | _WRITE, 37, QueryMenu)
G_EXT_CTRLS = request(_READ | _WRITE, 71, ControlList)
S_EXT_CTRLS = request(_READ | _WRITE, 72, ControlList)
ENUM_FRAMESIZES = request(_READ | _WRITE, 74, SizeEntry)
QUERY_EXT_CTRL = request(_READ | _WRITE, 103, QueryControl)

CAPTURE, CAPTURE_PLANES = 0x1, 0x1000
READWRITE, STREAMING, HAS_DEVICE_CAPS = 0x0100_0000, 0x0400_0000, 0x8000_0000
BUFFER_CAPTURE, BUFFER_CAPTURE_PLANES, MEMORY_MAPPED = 1, 9, 1

INTEGER, BOOLEAN, MENU, BUTTON, INTEGER64, CLASS, STRING, BITMASK, INTEGER_MENU = range(1, 10)
COMPOUND = 0x0100
DISABLED, GRABBED, READ_ONLY, INACTIVE, WRITE_ONLY = 0x1, 0x2, 0x4, 0x10, 0x40
NEXT = 0x8000_0000

EXPOSURE_AUTO, EXPOSURE_ABSOLUTE = 0x009A_0901, 0x009A_0902
EXPOSURE_MANUAL = 1
"""The entry of the menu `EXPOSURE_AUTO` in which the exposure time holds."""

SIZE_DISCRETE = 1
