"""The camera over the twin's belt: it sees the part that lies under it, or the belt."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import cached_property

import cv2
import numpy as np

from app.clock import NS_PER_MS, Clock
from app.config import CameraSettings
from app.errors import CameraError, DataError, FrameTimeoutError
from app.status import Trouble
from app.twin.flow import Body
from app.twin.machine import Machine
from app.twin.parts import Piece
from app.twin.scenario import Fault, FaultKind
from app.twin.view import View, woven
from app.types import Frame, Image

STREAM_NS = 20 * NS_PER_MS
"""A camera that runs freely takes 50 pictures a second."""

_AT_LINE_MM = 5.0
"""A part so near before the line counts as having passed it: a spotter may see it there already."""


class TwinCamera:
    """Takes pictures of the machine's belt.

    The picture shows the part whose leading edge is at the camera's position at the time of the exposure, and the empty
    belt when none is. It can be grabbed `exposure_ms + transfer_ms` after the trigger.

    Args:
        settings: Name, position, size and times.
        machine: What it looks at.
        clock: The clock.
        tolerance_mm: How far a part's leading edge may be from the camera's position to be seen whole.
    """

    def __init__(self, settings: CameraSettings, machine: Machine, clock: Clock, tolerance_mm: float = 20.0) -> None:
        self.name = settings.name
        self._settings = settings
        self._machine = machine
        self._clock = clock
        self._tolerance_mm = tolerance_mm
        self._is_open = False
        self._counter = 0
        self._ready: deque[Frame] = deque()
        self._last: Frame | None = None
        self._session = 0
        self._view: View | None = None
        self._seen_index = -1

    @property
    def is_ready(self) -> bool:
        """A frame can be grabbed."""
        return bool(self._ready)

    def open(self) -> None:
        """Makes the camera ready; opening an open camera does nothing."""
        self._is_open = True

    def restart(self) -> None:
        """Begins anew, as a camera whose supply was off: its counter at 0, without any frame."""
        self.close()
        self._counter, self._last = 0, None
        self.open()

    def trigger(self, at_ns: int) -> None:
        """Exposes now.

        Raises:
            CameraError: The camera is closed or gone, or the part's picture cannot be read.
        """
        self._check_open()
        body = self._machine.under(self._settings.position_mm, self._tolerance_mm)
        fault = self._machine.picture_fault(body)
        self._expose(at_ns, body, lambda: self._belt if body is None else self._seen(body.piece), fault)

    def stream(self) -> None:
        """From now on takes a picture of the belt as it lies every `STREAM_NS`, until it is closed.

        Raises:
            CameraError: The line does not say how the belt lies in the picture.
        """
        self._check_open()
        line = self._machine.line
        if line.trigger.vision is None:
            raise CameraError(
                f"camera {self.name!r} cannot run freely",
                "give the line a table [trigger.vision]",
                code=Trouble.UNFIT.value,
            )
        self._view = View(self._settings, line.trigger.vision, line.part.length_mm)
        self._plan(self._clock.now_ns(), self._session)

    def _plan(self, at_ns: int, session: int) -> None:
        def shoot(now_ns: int) -> None:
            if session == self._session:
                self._shoot(now_ns)
                self._plan(now_ns + STREAM_NS, session)

        self._machine.at(at_ns, shoot)

    def _shoot(self, now_ns: int) -> None:
        """A picture has the name of the part that has passed the line last; the first one of a part has its faults."""
        view, belt_mm = self._view, self._machine.belt_mm
        assert view is not None, "who streams has a view"
        bodies = self._machine.bodies
        reached_mm = belt_mm - self._settings.position_mm + _AT_LINE_MM
        passed = [each for each in bodies if each.start_mm <= reached_mm and each.is_on_belt]
        body = passed[-1] if passed else None
        is_new = body is not None and body.index > self._seen_index
        if body is not None and is_new:
            self._seen_index = body.index
        fault = self._machine.picture_fault(body) if is_new else None
        self._expose(now_ns, body, lambda: view.picture(bodies, belt_mm), fault)

    def _expose(self, at_ns: int, body: Body | None, picture: Callable[[], Image], fault: Fault | None) -> None:
        kind = fault.kind if fault else None
        if fault and kind is FaultKind.CAMERA_DEAD:
            self._die(fault)
            return
        self._counter += 1 + (round(fault.size) if fault and kind is FaultKind.COUNTER_JUMP else 0)
        ready_ns = at_ns + round((self._settings.exposure_ms + self._settings.transfer_ms) * NS_PER_MS)
        if fault and kind is FaultKind.FRAME_LATE:
            ready_ns += round(fault.size * NS_PER_MS)
        frame = Frame(
            image=picture(),
            camera=self.name,
            host_ns=at_ns,
            counter=self._counter,
            in_memory_ns=ready_ns,
            name="" if body is None else body.piece.name,
        )
        last, self._last = self._last, frame
        if kind is FaultKind.FRAME_LOST:
            return
        frames = [frame]
        if kind is FaultKind.FRAME_DOUBLED:
            frames.append(frame)
        elif kind is FaultKind.FRAME_STALE:
            frames = [last] if last is not None else []
        session = self._session
        self._machine.at(ready_ns, lambda _: self._arrive(frames, session))

    def grab(self, deadline_ns: int) -> Frame:  # noqa: ARG002 - virtual time does not pass while somebody waits
        """The next frame that is ready. It never waits: in virtual time nothing would come.

        Raises:
            FrameTimeoutError: None is ready.
            CameraError: The camera is closed.
        """
        self._check_open()
        if not self._ready:
            raise FrameTimeoutError(
                f"camera {self.name!r} has no frame ready at {self._clock.now_ns()} ns", "let the machine run on"
            )
        return self._ready.popleft()

    def close(self) -> None:
        """Lets the camera go, and with it every frame that was not grabbed. Idempotent."""
        self._is_open = False
        self._session += 1
        self._ready.clear()

    def _arrive(self, frames: list[Frame], session: int) -> None:
        # A camera that was closed in between has forgotten what it exposed.
        if session == self._session:
            self._ready.extend(frames)

    @cached_property
    def _belt(self) -> Image:
        """The empty belt."""
        return self._sized(woven(self._settings.height_px, self._settings.width_px))

    def _seen(self, piece: Piece) -> Image:
        try:
            image = piece.image
        except DataError as error:
            what = f"camera {self.name!r} has no picture of {piece.name}: {error.what}"
            raise CameraError(what, error.mend) from error
        return image if piece.is_frame else self._sized(image)

    def _sized(self, image: Image) -> Image:
        """The picture in the size and with the channels that the settings name."""
        wanted = (self._settings.width_px, self._settings.height_px)
        if image.shape[1::-1] != wanted:
            image = np.asarray(cv2.resize(image, wanted, interpolation=cv2.INTER_AREA), np.uint8)
        is_mono = image.ndim == 2  # noqa: PLR2004 - (height, width)
        if is_mono and self._settings.channels == 3:  # noqa: PLR2004 - BGR
            return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
        if not is_mono and self._settings.channels == 1:
            return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        return image

    def _die(self, fault: Fault) -> None:
        if fault.size:
            raise CameraError(
                f"camera {self.name!r} does not answer", "check its cable and its supply", code=Trouble.SILENT.value
            )

    def _check_open(self) -> None:
        if not self._is_open:
            raise CameraError(f"camera {self.name!r} is closed", "open it first")
