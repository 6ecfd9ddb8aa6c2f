"""What a station hands to its recorder: events through the ring, pictures by handing over their slots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.bus.bell import Bell
from app.bus.events import encode_event
from app.bus.ring import RingWriter
from app.capture.slotted import SlottedCamera
from app.errors import RingFullError
from app.types import Detection, Frame, LedgerEvent, Verdict

LEAST_ROOM = 0.1
"""The line stops when less of the ring is free: what happens until the belt stands must still be recorded."""

MOST_HELD = 0.5
"""The recorder may hold this share of a camera's slots; the others stay for the camera."""


class Handover:
    """A station's `Recorder` on the bus. Never waits for anybody.

    Args:
        ring: The lane's event ring.
        bells: Rung when there is something new: the recorder's, and those of whoever listens.
        cameras: The lane's cameras by name, whose slots are handed over.
        slots: How many slots each has.
    """

    def __init__(
        self, ring: RingWriter, bells: Sequence[Bell], cameras: Mapping[str, SlottedCamera], slots: int
    ) -> None:
        self._ring = ring
        self._bells = tuple(bells)
        self._cameras = cameras
        self._limit = max(1, int(slots * MOST_HELD))

    @property
    def is_full(self) -> bool:
        """Hardly any room is left for events: the line must stop."""
        return self._ring.room_share < LEAST_ROOM

    @property
    def share(self) -> float:
        """How much of the ring waits for the recorder, 0 .. 1."""
        return 1.0 - self._ring.room_share

    def take(self, events: Sequence[LedgerEvent]) -> int:
        """Writes events into the ring, and says how many had room."""
        for taken, event in enumerate(events):
            try:
                self._ring.write(encode_event(event))
            except RingFullError:
                return taken
        for bell in self._bells:
            bell.ring()
        return len(events)

    def keep(self, frame: Frame, verdict: Verdict, detections: Sequence[Detection]) -> bool:  # noqa: ARG002 - the seam
        """Lets the recorder have the frame's slot; refused while it holds too many."""
        return self._cameras[frame.camera].hand_over(frame, self._limit)
