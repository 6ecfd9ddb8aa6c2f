"""A camera as its station sees it: triggers go to the capture process, frames come out of slots in shared memory."""

from __future__ import annotations

import json
import select

from app.bus.bell import Bell, TriggerPipe
from app.bus.block import BlockReader
from app.bus.place import Place
from app.bus.slots import SlotReader
from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.errors import BusError, CameraError, FrameTimeoutError
from app.types import Frame

SLOTS = 24
"""Frames of a camera in shared memory: half of them may wait for the recorder."""

DEAD_NS = 500 * NS_PER_MS
"""A capture process that has said nothing for so long is dead or hangs: five of its reports."""

LOOK_NS = 50 * NS_PER_MS


class SlottedCamera:
    """The station's end of a camera.

    Nothing here waits for the capture process: where it is absent or hangs, `grab` says so, and parts are rejected.

    Args:
        lane: The lane.
        name: The camera's name in the settings.
        place: Where the processes meet.
        bell: Rung for each frame; one for all cameras of a lane.
        clock: The time.

    Attributes:
        name: The camera's name.
    """

    def __init__(self, lane: int, name: str, place: Place, bell: Bell, clock: Clock) -> None:
        self.name = name
        self._lane = lane
        self._place = place
        self._bell = bell
        self._clock = clock
        self._slots: SlotReader | None = None
        self._triggers: TriggerPipe | None = None
        self._state: BlockReader | None = None
        self._session = 0
        self._asked = 0
        self._looked_ns = 0
        self._trouble = ""

    def open(self) -> None:
        """Makes the pipe for triggers; the capture process may come later.

        Raises:
            CameraError: The bus cannot be used.
        """
        try:
            self._triggers = self._triggers or TriggerPipe(self._place.triggers(self._lane, self.name))
        except BusError as error:
            raise CameraError(f"camera {self.name!r}: {error.what}", error.mend) from error

    def fileno(self) -> int:
        """Becomes readable when a frame may have come."""
        return self._bell.fileno()

    def trigger(self, at_ns: int) -> None:
        """Asks the capture process for one exposure now.

        Raises:
            CameraError: The camera is closed.
        """
        if self._triggers is None:
            raise CameraError(f"camera {self.name!r} is closed", "open it first")
        self._asked += 1
        self._triggers.send(at_ns, self._asked)

    def grab(self, deadline_ns: int) -> Frame:
        """The next frame; waits for it until the deadline.

        Raises:
            FrameTimeoutError: None came in time.
            CameraError: The capture process is absent, hangs, was replaced, or told that its camera is gone.
        """
        while True:
            self._bell.silence()
            now_ns = self._clock.now_ns()
            if now_ns - self._looked_ns >= LOOK_NS:
                self._look(now_ns)
            if self._trouble or self._slots is None:
                raise CameraError(self._trouble or "it is closed", "the station starts it again by itself")
            frame = self._slots.take()
            if frame is not None:
                return frame
            if now_ns >= deadline_ns:
                raise FrameTimeoutError(f"no frame of camera {self.name!r} came in time", "wait for the next")
            select.select((self._bell.fileno(),), (), (), (deadline_ns - now_ns) / NS_PER_S)

    def hand_over(self, frame: Frame, limit: int) -> bool:
        """Lets the recorder have a frame's slot too, unless it holds `limit` slots already."""
        return self._slots is not None and self._slots.hand_over(frame.slot, frame.generation, "recorder", limit)

    def close(self) -> None:
        """Lets the slots go. Idempotent."""
        for each in (self._slots, self._triggers, self._state):
            if each is not None:
                each.close()
        self._slots = self._triggers = self._state = None

    def _look(self, now_ns: int) -> None:
        """Sees whether the capture process lives, and whether it is still the same."""
        self._looked_ns = now_ns
        try:
            if self._slots is None:
                self._slots = SlotReader(self._place.frames(self._lane, self.name), "station", fresh=True)
                self._session = self._slots.session
            self._state = self._state or BlockReader(self._place.camera(self._lane, self.name))
            said = json.loads(self._state.read() or b"{}")
        except (BusError, ValueError) as error:
            self._trouble = f"its capture process has not started ({error})"
            return
        age_ns = now_ns - int(said.get("at_ns", 0))
        if age_ns > DEAD_NS:
            self._trouble = f"its capture process has said nothing for {age_ns / NS_PER_S:.1f} s"
        elif said.get("text"):
            self._trouble = str(said["text"])
        elif self._slots.session != self._session:
            self._session = self._slots.session
            self._slots.let_go()
            self._trouble = "its capture process was replaced"
            self._looked_ns = 0
        else:
            self._trouble = ""
