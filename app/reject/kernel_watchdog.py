"""The kernel's watchdog, `/dev/watchdog`: it resets the box when nobody has petted it for its time.

It stands behind the permit relay (REJECT_TRACKING, rule 10): the relay makes the line safe within its hold time, the
watchdog brings a box back that is dead or hung for good. Opening the device starts it, and from then on only petting
holds the reset off. Closing it does not stop it, unless the last byte written is a `V`: so a station that was killed
leaves it running, and has its time to come back and open it again. Kernels built or started with `nowayout` never stop
it. `docs/watchdogs.md` tells how it goes together with systemd's.

Interface: Documentation/watchdog/watchdog-api.rst of the kernel.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from app.clock import NS_PER_S
from app.errors import LineError

PETS_PER_TIMEOUT = 6
"""So often within its time it is petted: one late round of the loop must not matter."""

_GETSUPPORT = 0x80285700
_SETTIMEOUT = 0xC0045706
_GETTIMEOUT = 0x80045707
_SUPPORT = struct.Struct("II32s")
_PET = b"\0"
_MAGIC = b"V"

Ioctl = Callable[[int, int, Any], object]
"""As `fcntl.ioctl` with a buffer that it may change."""

_BUSY_MEND = (
    "if that is systemd (RuntimeWatchdogSec), leave it the device and set watchdog.device empty; of several lanes, name"
    " it in one"
)
_REASONS = {
    errno.EBUSY: ("is held by another program", _BUSY_MEND),
    errno.ENOENT: ("is not there", "load the driver of this box's watchdog, or set watchdog.device empty"),
    errno.ENXIO: ("has no driver", "load the driver of this box's watchdog, or set watchdog.device empty"),
    errno.ENODEV: ("has no driver", "load the driver of this box's watchdog, or set watchdog.device empty"),
    errno.EACCES: ("may not be opened by this user", "give the station's user the device by a udev rule"),
    errno.EPERM: ("may not be opened by this user", "give the station's user the device by a udev rule"),
}


class Guard(Protocol):
    """Somebody who acts when the station shows no sign of life for too long."""

    def pet(self, now_ns: int) -> None:
        """Shows that all of the station's workers make progress. May be called at any pace.

        Raises:
            LineError: It cannot be shown.
        """
        ...

    def close(self, *, is_safe: bool) -> None:
        """Lets go. Idempotent.

        Args:
            is_safe: The station ends because it was told to, with its outputs safe: nobody needs to act. Otherwise the
                guard stays on watch.
        """
        ...


class KernelWatchdog:
    """The watchdog device, running from the moment that this object is made; a `Guard`.

    Args:
        device: The device, such as `/dev/watchdog`.
        timeout_s: The wanted time from the last pet to the reset.
        ioctl: Talks to the driver.

    Attributes:
        identity: What the driver calls itself.
        timeout_s: The time that it really has: drivers round, and some have but one.

    Raises:
        LineError: It is absent, held by another program, or its time is out of the driver's bounds. It is then not left
            running.
    """

    def __init__(self, device: Path, timeout_s: int, *, ioctl: Ioctl = fcntl.ioctl) -> None:
        self._device = device
        self._ioctl = ioctl
        self._due_ns = 0
        try:
            self._file = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            what, mend = _REASONS.get(
                error.errno or 0, (f"cannot be opened: {error.strerror}", "look at `dmesg`, or set it empty")
            )
            raise LineError(f"watchdog.device {device} {what}", mend) from error
        is_watchdog = False
        try:
            self.identity = self._identity()
            is_watchdog = True
            self.timeout_s = self._set_timeout(timeout_s)
        except BaseException:
            self.close(is_safe=is_watchdog)
            raise

    def pet(self, now_ns: int) -> None:
        """Holds the reset off for one more time; between a sixth of it and the next one this does nothing.

        Raises:
            LineError: The driver refused: the reset will come.
        """
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + self.timeout_s * NS_PER_S // PETS_PER_TIMEOUT
        try:
            os.write(self._file, _PET)
        except OSError as error:
            raise LineError(
                f"the watchdog {self._device} takes no sign of life: {error.strerror}",
                f"expect a reset within {self.timeout_s} s, then look at its driver",
            ) from error

    def close(self, *, is_safe: bool) -> None:
        """Lets the device go, stopped if all is safe and otherwise running. Idempotent."""
        if self._file < 0:
            return
        if is_safe:
            with suppress(OSError):  # a driver that refuses this resets the box, which is what it is for
                os.write(self._file, _MAGIC)
        os.close(self._file)
        self._file = -1

    def _identity(self) -> str:
        told = bytearray(_SUPPORT.size)
        try:
            self._ioctl(self._file, _GETSUPPORT, told)
        except OSError as error:
            raise LineError(f"watchdog.device {self._device} is no watchdog", "name one, as /dev/watchdog") from error
        name: bytes = _SUPPORT.unpack(told)[2]
        return name.split(b"\0", 1)[0].decode(errors="replace")

    def _set_timeout(self, timeout_s: int) -> int:
        wanted = array.array("i", [timeout_s])
        try:
            self._ioctl(self._file, _SETTIMEOUT, wanted)
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise LineError(
                    f"the watchdog {self._device} ({self.identity}) cannot wait for watchdog.timeout_s = {timeout_s}",
                    f"choose another; it is set to {self._timeout()} s now",
                ) from error
            return self._timeout()  # a driver with one time only
        return self._timeout()

    def _timeout(self) -> int:
        told = array.array("i", [0])
        try:
            self._ioctl(self._file, _GETTIMEOUT, told)
        except OSError as error:
            raise LineError(
                f"the watchdog {self._device} ({self.identity}) does not tell its time", "use another device"
            ) from error
        if told[0] <= 0:
            raise LineError(f"the watchdog {self._device} ({self.identity}) says {told[0]} s", "use another device")
        return told[0]
