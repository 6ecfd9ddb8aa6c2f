"""Numbers and times of a GigE Vision camera, made into ours: pure, without camera or clock."""

from __future__ import annotations

from app.clock import NS_PER_MS

_LAST_SHORT = 0xFFFF
_DRIFT_PPM = 100

PATH_NS = 2 * NS_PER_MS
"""Longest that the quickest pictures are taken to need from the end of their exposure to the first packet here.

Used where no command was sent that would tell."""


class BlockCounter:
    """Counts the blocks of a stream, lost ones too.

    A camera of GigE Vision 1.x numbers its blocks 1 .. 65535 and then begins at 1 again; one of 2.x has 64 bits. The
    first block that is seen gets number 1, so that a first block that was lost as a whole is not noticed here.
    """

    def __init__(self) -> None:
        self._block = 0
        self._number = 0

    def number(self, block: int) -> int | None:
        """The number of a block since the start; the counter only grows, a block that comes late gets its own number.

        Args:
            block: As the camera numbers it. 0 is no valid number: the packet that bears it was lost.

        Returns:
            1 .. ; `None` where the camera's number is unknown.
        """
        if block == 0:
            return None
        if self._number == 0:
            self._block, self._number = block, 1
            return 1
        step = block - self._block
        if block <= _LAST_SHORT and self._block <= _LAST_SHORT:
            step %= _LAST_SHORT
            step -= _LAST_SHORT if step > _LAST_SHORT // 2 else 0
        if step <= 0:
            return self._number + step
        self._block, self._number = block, self._number + step
        return self._number


class HostTime:
    """Learns when exposures began by the host's clock, from the camera's own stamps.

    Each frame says: my exposure began no earlier than my trigger was sent, and no later than my first packet arrived,
    less the exposure. Camera stamp plus an unknown constant is the beginning of the exposure; every frame bounds that
    constant from below and from above, and the frames that were on their way for the shortest time bound it best. The
    bounds widen with time as the two clocks drift apart, so that later frames can correct them.
    """

    def __init__(self) -> None:
        self._low: int | None = None
        self._high: int | None = None
        self._device_ns = 0

    def place(self, device_ns: int, earliest_ns: int | None, latest_ns: int) -> tuple[int, int]:
        """When an exposure began.

        Args:
            device_ns: The camera's stamp of the frame.
            earliest_ns: When its trigger was sent, by the host's clock; `None` where no command triggered it.
            latest_ns: When its first packet came less the exposure, by the host's clock.

        Returns:
            Host time in ns, and half the width of the interval that it lies in.
        """
        high = latest_ns - device_ns
        low = None if earliest_ns is None else earliest_ns - device_ns
        self._widen(device_ns)
        self._high = high if self._high is None else min(self._high, high)
        if low is not None:
            self._low = low if self._low is None else max(self._low, low)
        if self._low is not None and self._low > self._high:
            # No constant satisfies all frames: the camera's clock was set anew, and only this frame counts.
            self._low, self._high = low, high
        least = self._high - PATH_NS if self._low is None else self._low
        return device_ns + (least + self._high + 1) // 2, (self._high - least + 1) // 2

    def _widen(self, device_ns: int) -> None:
        if device_ns < self._device_ns:
            self._low = self._high = None
        drift = abs(device_ns - self._device_ns) * _DRIFT_PPM // 1_000_000
        if self._high is not None:
            self._high += drift
        if self._low is not None:
            self._low -= drift
        self._device_ns = device_ns
