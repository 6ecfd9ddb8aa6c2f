"""When a frame of a camera that runs freely arrived: what lay in a buffer must not answer a later trigger."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from app.clock import NS_PER_MS, NS_PER_S

Arrival = tuple[int, int]
"""The earliest and the latest time at which the frame was complete, by the host's clock."""

Arrivals = Callable[[int, int, float], Arrival | None]
"""Takes when the reading of a frame began and was done, and the position in ms that OpenCV gives it.

Returns when it arrived, or `None` where nobody can tell: such a frame answers nothing.
"""

_OLDEST_NS = 60 * NS_PER_S
_AHEAD_NS = 100 * NS_PER_MS
"""Drivers that stamp by the frame rate, and not by the clock, run ahead by less than this."""

_SPAN_NS = 30 * NS_PER_S


def read_times(begun_ns: int, done_ns: int, position_ms: float) -> Arrival:  # noqa: ARG001  (the one that needs none)
    """For what keeps one frame and has no stamps: it may have lain there since the reading before."""
    return begun_ns, done_ns


class KernelStamps:
    """For V4L2, whose driver stamps the frame by the monotonic clock.

    Some drivers stamp by another clock, or not at all. Then a frame may have arrived as early as its buffer was free,
    which OpenCV hands back when it begins to read the next frame.

    Args:
        buffers: How many there are.
    """

    def __init__(self, buffers: int) -> None:
        self._begun_ns: deque[int] = deque(maxlen=buffers)

    def __call__(self, begun_ns: int, done_ns: int, position_ms: float) -> Arrival:
        """As `Arrivals` says."""
        self._begun_ns.append(begun_ns)
        stamp_ns = round(position_ms * NS_PER_MS)
        if -_AHEAD_NS < done_ns - stamp_ns < _OLDEST_NS:
            arrived_ns = min(stamp_ns, done_ns)
            return arrived_ns, arrived_ns
        return self._begun_ns[0], done_ns


class StreamTimes:
    """For a network stream, whose frames carry times of the camera's own clock.

    The frame that took the shortest way tells by how much the two clocks differ; what another took longer, it waited
    in a buffer on the way. The difference is learned over `_SPAN_NS` and the span before, so that a camera whose clock
    drifts stays right. Until a reading first had to wait for its frame, the stream still hands out what it gathered
    while it was opened, and nobody can tell how old that is.
    """

    def __init__(self) -> None:
        self._is_settled = False
        self._position_ns = 0
        self._since_ns = 0
        self._least_ns: int | None = None
        self._least_before_ns: int | None = None

    def __call__(self, begun_ns: int, done_ns: int, position_ms: float) -> Arrival | None:
        """As `Arrivals` says."""
        position_ns = round(position_ms * NS_PER_MS)
        step_ns, self._position_ns = position_ns - self._position_ns, position_ns
        if step_ns <= 0 or step_ns > _OLDEST_NS:
            self._begin_anew()
            return None
        self._is_settled = self._is_settled or 2 * (done_ns - begun_ns) >= step_ns
        if not self._is_settled:
            return None
        arrived_ns = position_ns + self._offset_ns(done_ns - position_ns, done_ns)
        return arrived_ns, arrived_ns

    def _begin_anew(self) -> None:
        self._is_settled = False
        self._least_ns = self._least_before_ns = None

    def _offset_ns(self, offset_ns: int, now_ns: int) -> int:
        if self._least_ns is None or now_ns - self._since_ns > _SPAN_NS:
            self._least_before_ns, self._least_ns, self._since_ns = self._least_ns, offset_ns, now_ns
        self._least_ns = min(self._least_ns, offset_ns)
        return self._least_ns if self._least_before_ns is None else min(self._least_ns, self._least_before_ns)
