"""How often a counter of the kernel has wrapped, as its character device tells.

The events of `/dev/counterN` tell of overflow and underflow, of an index and of thresholds; there is none for a
quadrature state that was skipped.

Interface: include/uapi/linux/counter.h.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

OVERFLOW, UNDERFLOW = 0, 1

_ADD_WATCH = 0x40063E00
_ENABLE = 0x3E01
_WATCH = struct.Struct("=6B")
"""Type, scope, parent and number of a component, of which none is wanted here; event; channel."""

_EVENT = struct.Struct("=QQ7Bx")
"""Time, value, the watch as above, status."""

_EVENT_PLACE = 6
_BATCH = 64 * _EVENT.size

Ioctl = Callable[[int, int, bytes], object]
"""As `fcntl.ioctl`."""


class WrapEvents:
    """Counts overflows and underflows.

    Args:
        file: The open device, which must not block.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._wraps = 0

    @classmethod
    def opened(cls, device: Path, channel: int, ioctl: Ioctl = fcntl.ioctl) -> WrapEvents | None:
        """The wraps of a count from now on; `None` where the driver does not tell them both.

        Args:
            device: The character device.
            channel: The number of the count.
            ioctl: Talks to the driver.
        """
        try:
            file = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            for event in (OVERFLOW, UNDERFLOW):
                ioctl(file, _ADD_WATCH, _WATCH.pack(0, 0, 0, 0, event, channel))
            ioctl(file, _ENABLE, b"")
        except OSError:
            os.close(file)
            return None
        return cls(file)

    def wraps(self) -> int:
        """Overflows less underflows since the opening."""
        with suppress(OSError):
            while True:
                said = os.read(self._file, _BATCH)
                for at in range(0, len(said) - len(said) % _EVENT.size, _EVENT.size):
                    event = _EVENT.unpack_from(said, at)[_EVENT_PLACE]
                    self._wraps += (event == OVERFLOW) - (event == UNDERFLOW)
                if len(said) < _BATCH:
                    break
        return self._wraps

    def close(self) -> None:
        """Lets the device go."""
        os.close(self._file)
