"""Which part a frame belongs to (REJECT_TRACKING, rule 2): never by arrival order alone, and ambiguity rejects."""

from __future__ import annotations

from dataclasses import dataclass

from app.clock import NS_PER_MS
from app.config import CameraSettings
from app.types import Frame, Reason


@dataclass(frozen=True, slots=True)
class Outstanding:
    """An exposure that was triggered and whose frame has not come."""

    part_id: int
    index: int
    at_ns: int
    number: int


@dataclass(frozen=True, slots=True)
class Bound:
    """Whose frame it is. Neither exposure nor reason: nobody's, and only counted.

    Attributes:
        exposure: The exposure that the frame answers.
        reason: Why parts must be rejected instead.
        part_ids: The parts to reject for that reason.
    """

    exposure: Outstanding | None = None
    reason: Reason | None = None
    part_ids: tuple[int, ...] = ()


class Binder:
    """Binds the frames of one camera to exposures.

    Args:
        camera: The camera's settings: `binding`, `trigger`, `window_ms`, `frame_timeout_ms`.
        patience_ms: A camera that the part sensor triggers by a wire may have its frame in memory so long before the
            sensor's edge is confirmed here, `window_ms` apart.
    """

    def __init__(self, camera: CameraSettings, patience_ms: float = 0.0) -> None:
        self._mode = camera.binding
        self._is_wired = camera.trigger == "wire"
        self._patience_ns = round((patience_ms + camera.window_ms) * NS_PER_MS)
        self._window_ns = round(camera.window_ms * NS_PER_MS)
        self._timeout_ns = round(camera.frame_timeout_ms * NS_PER_MS)
        self._waiting: list[Outstanding] = []
        self._triggers = 0
        self._counter_offset: int | None = None

    @property
    def busy_with(self) -> int | None:
        """The part whose frame must come before the next trigger; `None` where the camera may be triggered."""
        return self._waiting[0].part_id if self._mode == "one_outstanding" and self._waiting else None

    def expose(self, part_id: int, index: int, at_ns: int) -> None:
        """Notes that the camera is triggered for a part."""
        self._waiting.append(Outstanding(part_id, index, at_ns, self._triggers))
        self._triggers += 1

    def is_early(self, frame: Frame, now_ns: int) -> bool:
        """The frame may answer an exposure that is noted in a moment: it must be shown again."""
        if not self._is_wired or self._mode != "counter" or frame.counter is None:
            return False
        is_unknown = self._counter_offset is None and not self._waiting
        is_ahead = self._counter_offset is not None and frame.counter - self._counter_offset >= self._triggers
        return (is_unknown or is_ahead) and now_ns - frame.host_ns < self._patience_ns + frame.uncertainty_ns

    def bind(self, frame: Frame) -> Bound:
        """Finds the exposure that a frame answers."""
        if self._mode == "counter":
            return self._by_counter(frame)
        slack_ns = self._window_ns + frame.uncertainty_ns
        near = [each for each in self._waiting if abs(frame.host_ns - each.at_ns) <= slack_ns]
        if self._mode == "one_outstanding":
            # Taken before its trigger: the late answer to an exposure that was given up.
            near = [each for each in self._waiting if frame.host_ns + frame.uncertainty_ns >= each.at_ns]
        if len(near) > 1:
            self._waiting = [each for each in self._waiting if each not in near]
            return Bound(reason=Reason.AMBIGUOUS_FRAME, part_ids=tuple(each.part_id for each in near))
        return self._answer(near[0]) if near else Bound()

    def expired(self, now_ns: int) -> list[Outstanding]:
        """Exposures whose frame is overdue; they wait no longer."""
        overdue = [each for each in self._waiting if now_ns - each.at_ns >= self._timeout_ns]
        if overdue:
            self._waiting = [each for each in self._waiting if each not in overdue]
        return overdue

    def restart(self) -> list[int]:
        """The camera begins anew: nothing is outstanding, and its counter is learnt again.

        Returns:
            The parts that waited.
        """
        waiting, self._waiting = self._waiting, []
        self._counter_offset = None
        return [each.part_id for each in waiting]

    def next_due_ns(self) -> int | None:
        """When the oldest exposure expires."""
        return self._waiting[0].at_ns + self._timeout_ns if self._waiting else None

    def _answer(self, exposure: Outstanding) -> Bound:
        self._waiting.remove(exposure)
        return Bound(exposure)

    def _by_counter(self, frame: Frame) -> Bound:
        if frame.counter is None:
            return self._mismatch()
        if self._counter_offset is None:
            if len(self._waiting) != 1:
                return self._mismatch()
            self._counter_offset = frame.counter - self._waiting[0].number
        number = frame.counter - self._counter_offset
        match = next((each for each in self._waiting if each.number == number), None)
        if match is None:
            # An exposure given up earlier may still be answered; a number never issued may not be.
            return Bound() if 0 <= number < self._triggers else self._mismatch()
        # A camera that missed a trigger gives the right next number to the wrong part: its time tells.
        if abs(frame.host_ns - match.at_ns) > self._window_ns + frame.uncertainty_ns:
            return self._mismatch()
        return self._answer(match)

    def _mismatch(self) -> Bound:
        part_ids = tuple(each.part_id for each in self._waiting)
        self._waiting = []
        self._counter_offset = None
        return Bound(reason=Reason.COUNTER_MISMATCH, part_ids=part_ids)
