"""A camera as its station sees it: triggers go to the capture process, frames come out of slots in shared memory."""

from __future__ import annotations

import json
import select
from dataclasses import fields

from app.bus.bell import Bell, TriggerPipe
from app.bus.block import BlockReader
from app.bus.place import Place
from app.bus.slots import SlotReader
from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.errors import BusError, CameraError, FrameTimeoutError
from app.status import CameraStatus, Trouble
from app.types import Frame

SLOTS = 24
"""Frames of a camera in shared memory: half of them may wait for the recorder."""

DEAD_NS = 450 * NS_PER_MS
"""A capture process that has said nothing for so long is dead or hangs: four of its reports."""

LOOK_NS = 50 * NS_PER_MS
"""How often it is looked at. With the time above: whatever happens to a camera is known within half a second."""

HUNG_NS = 10 * NS_PER_S
"""While it opens a camera it says nothing; after so long that is not the camera's trouble any more."""

_KNOWN = frozenset(field.name for field in fields(CameraStatus))


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
        said: What the capture process said last of the camera.
    """

    def __init__(self, lane: int, name: str, place: Place, bell: Bell, clock: Clock) -> None:
        self.name = name
        self.said = CameraStatus(name)
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
        self._trouble = self._code = ""

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
        if self._triggers is None:
            raise CameraError(f"camera {self.name!r} is closed", "open it first")
        while True:
            self._bell.silence()
            now_ns = self._clock.now_ns()
            if now_ns - self._looked_ns >= LOOK_NS or self._is_replaced:
                self._look(now_ns)
            # Only good frames are published, and none while the camera is away: those that lie here came before that,
            # or after it.
            frame = self._slots.take() if self._slots is not None else None
            if frame is not None:
                if self._trouble:
                    self._look(now_ns)
                return frame
            if self._trouble:
                what, _, mend = self._trouble.partition("; ")
                raise CameraError(what, mend or "wait for it", code=self._code)
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

    @property
    def _is_replaced(self) -> bool:
        return self._slots is not None and self._slots.session != self._session

    def _look(self, now_ns: int) -> None:
        """Sees whether the capture process lives, whether it is still the same, and what it says of the camera."""
        self._looked_ns = now_ns
        try:
            if self._slots is None:
                self._slots = SlotReader(self._place.frames(self._lane, self.name), "station", fresh=True)
                self._session = self._slots.session
            self._state = self._state or BlockReader(self._place.camera(self._lane, self.name))
            said = json.loads(self._state.read() or b"{}")
            at_ns = int(said.get("at_ns", 0))
            state = CameraStatus(**{key: value for key, value in said.items() if key in _KNOWN} | {"name": self.name})
        except (BusError, ValueError, TypeError, AttributeError) as error:
            self._trouble = f"camera {self.name!r}: its capture process has not started ({error}); it starts by itself"
            self._code = Trouble.STARTING.value
            return
        before, self.said = self.said, state
        trouble, self._trouble = self._trouble_of(at_ns, now_ns, before)
        self._code = trouble.value if isinstance(trouble, Trouble) else trouble

    def _trouble_of(self, at_ns: int, now_ns: int, before: CameraStatus) -> tuple[Trouble | str, str]:
        process = f"camera {self.name!r}: its capture process"
        age_ns = now_ns - at_ns
        if not at_ns:
            return Trouble.STARTING, f"{process} is starting; wait for it"
        if age_ns > (HUNG_NS if self.said.is_away else DEAD_NS):
            text = f"{process} has said nothing for {age_ns / NS_PER_S:.1f} s; it is started again by itself"
            return Trouble.HUNG, text
        if self._is_replaced:
            assert self._slots is not None, "only its session tells"
            self._session = self._slots.session
            self._slots.let_go()
            self._looked_ns = 0
            return Trouble.RETURNED, f"{process} was replaced; wait for the next part"
        if self.said.is_away:
            return self.said.code, self.said.text
        if self.said.reopened > before.reopened and not self._trouble:
            # Between two looks; whoever waits for frames from before that waits in vain.
            self._looked_ns = 0
            return Trouble.RETURNED, f"camera {self.name!r} was opened again; wait for the next part"
        return "", ""
