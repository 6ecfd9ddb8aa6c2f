"""A camera that hangs over a machine of another process: the device lives where the machine is.

Triggers go through a pipe, frames come through slots in memory. To the box it is a `Camera`.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from urllib.parse import quote

import numpy as np

from app.bus.bell import Bell, TriggerPipe
from app.bus.place import Place
from app.bus.slots import SlotReader, SlotWriter
from app.clock import NS_PER_S, Clock, SystemClock
from app.config import CameraSettings
from app.errors import BusError, CameraError, FrameTimeoutError
from app.status import Trouble
from app.twin.camera import TwinCamera
from app.twin.machine import Machine
from app.types import Frame

SLOTS = 16
LEAST_SLOTS = 4
SLOTS_BYTES = 64 << 20
"""A camera has so many frames in its memory, or as many as this holds."""

ANSWERS_WITHIN_S = 5.0
STREAM = 0
"""The number of a trigger that starts pictures without further triggers."""

_POLL_S = 0.002
STALE_NS = NS_PER_S
"""A trigger that is older than this was meant for a machine that has ended."""


class Eye:
    """The device, in the machine's process.

    Only one copy of each picture is made here, into its slot; a part's picture should be made before the part comes.
    A camera that the scenario breaks sends nothing.

    Args:
        settings: Name, position, size and times.
        machine: What it looks at.
        clock: The machine's clock.
        place: Where the box finds it.
        lane: The lane.
        stopwatch: Says when a frame is in memory: by default the system's clock, as the copy takes its own time.

    Attributes:
        failures: Triggers that gave no picture because the device was broken.

    Raises:
        BusError: Another machine has this camera, or there is no memory for its frames.
    """

    def __init__(
        self,
        settings: CameraSettings,
        machine: Machine,
        clock: Clock,
        place: Place,
        lane: int,
        *,
        stopwatch: Clock | None = None,
    ) -> None:
        self.failures = 0
        self._stopwatch = stopwatch or SystemClock()
        self._clock = clock
        self._machine = machine
        self._camera = TwinCamera(settings, machine, clock)
        self._camera.open()
        name = _name(settings, lane)
        with ExitStack() as opened:
            bell = Bell(place.bell(name))
            opened.callback(bell.close)
            size = (settings.height_px, settings.width_px, settings.channels)
            count = max(LEAST_SLOTS, min(SLOTS, SLOTS_BYTES // math.prod(size)))
            self._slots = SlotWriter(place.root / f"{name}.frames", count, *size, bell=bell)
            opened.callback(self._slots.close)
            self._pipe = TriggerPipe(place.root / f"{name}.triggers")
            opened.callback(self._pipe.close)
            self._opened = opened.pop_all()

    @property
    def dropped(self) -> int:
        """Frames that found every slot held: the box does not fetch them."""
        return self._slots.dropped

    def fileno(self) -> int:
        """Readable while triggers wait."""
        return self._pipe.fileno()

    def receive(self) -> None:
        """Takes the triggers that wait: each exposes at its time, or now where that is past."""
        now_ns = self._clock.now_ns()
        for pulse in self._pipe.receive(now_ns - STALE_NS):
            self._machine.at(max(pulse.at_ns, now_ns), self._exposing(pulse.number))

    def deliver(self) -> None:
        """Puts the frames whose transfer has ended where the box finds them."""
        while self._camera.is_ready:
            frame = self._camera.grab(0)
            pixels = self._slots.free()
            if pixels is not None:
                np.copyto(pixels, frame.image)
                self._slots.publish(replace(frame, in_memory_ns=self._stopwatch.now_ns()))

    def close(self) -> None:
        """Takes the camera away. Idempotent."""
        self._camera.close()
        self._opened.close()

    def _exposing(self, number: int) -> Callable[[int], None]:
        def expose(at_ns: int) -> None:
            if number <= 1:
                # The box has opened it anew.
                self._camera.restart()
            try:
                if number == STREAM:
                    self._camera.stream()
                else:
                    self._camera.trigger(at_ns)
            except CameraError:
                self.failures += 1

        return expose


class LinkCamera:
    """The box's side of a camera that lives in the machine's process; a `Camera`.

    Args:
        settings: Name and size.
        clock: The clock.
        place: Where the machine is.
        lane: The lane.
        answers_within_s: Longest wait for a machine that starts at the same time.
    """

    def __init__(
        self,
        settings: CameraSettings,
        clock: Clock,
        place: Place,
        lane: int = 1,
        *,
        answers_within_s: float = ANSWERS_WITHIN_S,
    ) -> None:
        self._answers_within_s = answers_within_s
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        self._place = place
        self._own = _name(settings, lane)
        self._opened: ExitStack | None = None
        self._opened_ns = 0
        self._triggers = 0

    def open(self) -> None:
        """Makes the camera ready; opening an open camera does nothing.

        Raises:
            CameraError: There is no machine with this camera.
        """
        if self._opened is not None:
            return
        with ExitStack() as opened:
            try:
                self._slots = self._found_slots()
                opened.callback(self._slots.close)
                self._bell = Bell(self._place.bell(self._own))
                opened.callback(self._bell.close)
                self._pipe = TriggerPipe(self._place.root / f"{self._own}.triggers")
                opened.callback(self._pipe.close)
            except BusError as error:
                raise CameraError(
                    f"camera {self.name!r}: {error.what}",
                    "start the twin, or name its folder",
                    code=Trouble.ABSENT.value,
                ) from error
            self._opened_ns, self._triggers = self._clock.now_ns(), 0
            self._opened = opened.pop_all()

    def fileno(self) -> int:
        """Readable when a frame has come.

        Raises:
            CameraError: The camera is closed.
        """
        self._check_open()
        return self._bell.fileno()

    def trigger(self, at_ns: int) -> None:
        """Asks for one exposure now.

        Raises:
            CameraError: The camera is closed, or takes no triggers any more.
        """
        self._check_open()
        self._triggers += 1
        if not self._pipe.send(at_ns, self._triggers):
            raise CameraError(
                f"camera {self.name!r} takes no triggers", "look whether the twin runs", code=Trouble.GONE.value
            )

    def stream(self) -> None:
        """From now on every picture comes without a trigger, until `close`.

        Raises:
            CameraError: The camera is closed, or takes no orders.
        """
        self._check_open()
        if not self._pipe.send(self._clock.now_ns(), STREAM):
            raise CameraError(
                f"camera {self.name!r} takes no triggers", "look whether the twin runs", code=Trouble.GONE.value
            )

    def grab(self, deadline_ns: int) -> Frame:
        """The next frame that answers a trigger; never blocks past the deadline.

        Raises:
            FrameTimeoutError: None came in time.
            CameraError: The camera is closed, or sends frames of another size than the settings say.
        """
        self._check_open()
        while True:
            self._bell.silence()
            frame = self._slots.take()
            if frame is not None and frame.host_ns >= self._opened_ns:
                return self._checked(frame)
            if frame is not None:
                # It was exposed for whoever had the camera before.
                frame.release()
                continue
            left_ns = deadline_ns - self._clock.now_ns()
            if left_ns <= 0:
                raise FrameTimeoutError(f"camera {self.name!r} sent no frame in time", "look whether the twin runs")
            select.select([self._bell.fileno()], [], [], left_ns / NS_PER_S)

    def close(self) -> None:
        """Lets the camera go. Idempotent; afterwards `open` works again."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _found_slots(self) -> SlotReader:
        """The machine's frames; both may have been switched on together, and what lies there be of an earlier one.

        Raises:
            BusError: There are none within the time.
        """
        frames = self._place.root / f"{self._own}.frames"
        gives_up_s = time.monotonic() + self._answers_within_s
        while True:
            try:
                return SlotReader(frames, "station", fresh=True)
            except BusError:
                if time.monotonic() >= gives_up_s:
                    raise
            time.sleep(_POLL_S)

    def _checked(self, frame: Frame) -> Frame:
        height_px, width_px, *channels = frame.image.shape
        wanted = self._settings
        if (width_px, height_px) != (wanted.width_px, wanted.height_px):
            frame.release()
            raise CameraError(
                f"camera {self.name!r} sends {width_px} x {height_px} px where width_px and height_px say"
                f" {wanted.width_px} x {wanted.height_px}",
                "give the twin and the box the same line file",
                code=Trouble.FORMAT.value,
            )
        if (channels or [1]) != [wanted.channels]:
            frame.release()
            raise CameraError(
                f"camera {self.name!r} sends {(channels or [1])[0]} channels where channels says {wanted.channels}",
                "give the twin and the box the same line file",
                code=Trouble.FORMAT.value,
            )
        # Its slot is the camera's, which means nothing to those who see the frame in the slots of the box.
        return replace(frame, slot=-1, generation=0)

    def _check_open(self) -> None:
        if self._opened is None:
            raise CameraError(f"camera {self.name!r} is closed", "open it first")


def _name(settings: CameraSettings, lane: int) -> str:
    return f"twin{lane}-{quote(settings.name, safe='')}"
