"""The V4L2 devices of this machine: what each is, what it offers, and who uses it."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.capture import v4l2_layout as layout
from app.capture.camera import Found

Ioctl = Callable[[int, int, Any], Any]
"""Descriptor, request and structure, which the kernel changes; raises OSError, as `fcntl.ioctl` does."""

_NODE = re.compile(r"video(\d+)")
_CSI_DRIVERS = ("tegra-video", "vi")
_MOST_ENTRIES = 256


def discover(root: Path = Path("/"), ioctl: Ioctl = fcntl.ioctl) -> tuple[Found, ...]:
    """The capture devices of this machine, in the order of their numbers.

    A camera makes several device files; those that give no pictures, such as the one for metadata, are passed over.

    Args:
        root: Where the file system begins.
        ioctl: Asks the kernel.
    """
    with suppress(FileNotFoundError):
        nodes = [path for path in (root / "dev").iterdir() if _NODE.fullmatch(path.name)]
        nodes.sort(key=lambda path: int(path.name.removeprefix("video")))
        return tuple(found for path in nodes for found in _look_at(path, root, ioctl))
    return ()


def capability_of(fd: int, ioctl: Ioctl) -> layout.Capability:
    """What a device is.

    Raises:
        OSError: It is no V4L2 device.
    """
    capability = layout.Capability()
    ioctl(fd, layout.QUERYCAP, capability)
    return capability


def described(source: str, capability: layout.Capability, root: Path = Path("/")) -> Found:
    """Which camera a device file is of."""
    card, bus = (each.decode(errors="replace") for each in (capability.card, capability.bus_info))
    return Found("opencv", source, f"{card} ({bus})", _serial_of(root, Path(source).name))


def sizes_of(path: str, ioctl: Ioctl = fcntl.ioctl) -> str:
    """The sizes that a device offers, for a message: `640 x 480, 1280 x 720`; empty where it does not say."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        sizes = dict.fromkeys(
            size
            for pixels in _listed(fd, layout.ENUM_FMT, ioctl, lambda n: layout.FormatEntry(index=n, type=1))
            for size in _sizes_in(fd, pixels.pixelformat, ioctl)
        )
    finally:
        os.close(fd)
    return ", ".join(sizes)


def holder_of(path: str, root: Path = Path("/")) -> str:
    """Which other program has a device open, as `12345 (firefox)`; empty where that is none or cannot be seen."""
    for process in _others(root):
        with suppress(OSError):
            if any(str(each.readlink()) == path for each in (process / "fd").iterdir()):
                return f"{process.name} ({(process / 'comm').read_text(errors='replace').strip()})"
    return ""


def _others(root: Path) -> Iterator[Path]:
    own = str(os.getpid())
    with suppress(OSError):
        yield from (each for each in (root / "proc").iterdir() if each.name.isdigit() and each.name != own)


def _look_at(path: Path, root: Path, ioctl: Ioctl) -> Iterator[Found]:
    source = f"/dev/{path.name}"
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        yield Found("opencv", source, trouble=f"cannot be opened: {error.strerror}")
        return
    try:
        capability = capability_of(fd, ioctl)
        if not _captures(capability):
            return
        trouble = _trouble_of(fd, capability, ioctl, lambda: holder_of(source, root))
    except OSError as error:
        # Such a file is not V4L2's; a device that is going away answers the same.
        if error.errno in (errno.ENOTTY, errno.ENODEV):
            return
        yield Found("opencv", source, trouble=f"does not answer: {error.strerror}")
        return
    finally:
        os.close(fd)
    yield replace(described(source, capability, root), trouble=trouble)


def _captures(capability: layout.Capability) -> bool:
    has_own = capability.capabilities & layout.HAS_DEVICE_CAPS
    can = capability.device_caps if has_own else capability.capabilities
    gives_pictures = can & (layout.CAPTURE | layout.CAPTURE_PLANES)
    return bool(gives_pictures and can & (layout.STREAMING | layout.READWRITE))


def _trouble_of(fd: int, capability: layout.Capability, ioctl: Ioctl, holder: Callable[[], str]) -> str:
    if capability.driver.decode(errors="replace") in _CSI_DRIVERS:
        return "a CSI sensor, which gives raw pixels here: use driver csi"
    can_planes = not capability.device_caps & layout.CAPTURE
    kind = layout.BUFFER_CAPTURE_PLANES if can_planes else layout.BUFFER_CAPTURE
    try:
        # To ask for no buffers changes nothing, and is refused to all but the one who streams.
        ioctl(fd, layout.REQBUFS, layout.BufferRequest(count=0, type=kind, memory=layout.MEMORY_MAPPED))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return f"in use by {holder() or 'another program'}"
    return ""


def _serial_of(root: Path, node: str) -> str:
    """The serial number of the USB device that the node belongs to."""
    device = root / "sys" / "class" / "video4linux" / node / "device"
    with suppress(OSError):
        return (device.resolve().parent / "serial").read_text(errors="replace").strip()
    return ""


def _sizes_in(fd: int, pixels: int, ioctl: Ioctl) -> Iterator[str]:
    for entry in _listed(fd, layout.ENUM_FRAMESIZES, ioctl, lambda n: layout.SizeEntry(index=n, pixel_format=pixels)):
        extent = tuple(entry.extent)
        if entry.type == layout.SIZE_DISCRETE:
            yield f"{extent[0]} x {extent[1]}"
        else:
            yield f"{extent[0]} x {extent[3]} to {extent[1]} x {extent[4]}"
            return


def _listed(fd: int, number: int, ioctl: Ioctl, make: Callable[[int], Any]) -> Iterator[Any]:
    """What the kernel lists by index, to the end."""
    for index in range(_MOST_ENTRIES):
        entry = make(index)
        try:
            ioctl(fd, number, entry)
        except OSError:
            return
        yield entry
