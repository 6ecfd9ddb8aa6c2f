"""The work of a capture process: triggers in, frames out into slots, and a word on how the camera is.

A driver may hang in a call that nobody can interrupt. It hangs here, in a process of its own, which is then replaced.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from app.bus.bell import TriggerPipe
from app.bus.slots import SlotWriter
from app.capture.camera import Camera
from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.config import CameraSettings
from app.errors import CameraError, FrameTimeoutError
from app.status import CameraStatus
from app.types import Frame

REPORT_NS = 100 * NS_PER_MS
"""How often it says that it lives, and how the camera is."""

SLICE_NS = 2 * NS_PER_MS
"""Longest wait in a driver that cannot be waited for by descriptor: a trigger must not wait longer."""


class Feeder:
    """Runs one camera.

    Args:
        camera: The camera, open.
        settings: Its settings.
        slots: Where its frames go.
        triggers: Where the station asks for exposures.
        report: Takes the state of the camera, about ten times a second.
        clock: The time.
    """

    def __init__(
        self,
        camera: Camera,
        settings: CameraSettings,
        slots: SlotWriter,
        triggers: TriggerPipe,
        report: Callable[[CameraStatus, int], None],
        clock: Clock,
    ) -> None:
        self._camera = camera
        self._settings = settings
        self._slots = slots
        self._triggers = triggers
        self._report = report
        self._clock = clock
        self._timeout_ns = round(settings.frame_timeout_ms * NS_PER_MS)
        self._asked_ns = 0
        self._outstanding = 0
        self._frames = 0
        self._last_frame_ns = 0
        self._reported_ns = 0
        fileno = getattr(camera, "fileno", None)
        self._waits = fileno is not None
        self._fds = [triggers.fileno(), *([fileno()] if fileno else [])]

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Works until it is stopped.

        Raises:
            CameraError: The camera is gone or sends what the settings do not allow; whoever runs this starts it anew.
        """
        while not is_stopped():
            self.step()

    def step(self) -> None:
        """Waits for a trigger or a frame, passes on what there is, and tells how the camera is.

        Raises:
            CameraError: The camera is gone or sends what the settings do not allow.
        """
        now_ns = self._clock.now_ns()
        if now_ns - self._reported_ns >= REPORT_NS:
            self._reported_ns = now_ns
            state = CameraStatus(self._camera.name, "", self._frames, self._last_frame_ns, self._slots.dropped)
            self._report(state, now_ns)
        if self._waits or not self._outstanding:
            select.select(self._fds, (), (), REPORT_NS / NS_PER_S)
        self._expose()
        self._fetch()

    def _expose(self) -> None:
        now_ns = self._clock.now_ns()
        # One that waited here while this process was not there belongs to a part that has gone by.
        for trigger in self._triggers.receive(now_ns - self._timeout_ns):
            self._camera.trigger(trigger.at_ns)
            self._outstanding += 1
            self._asked_ns = now_ns
        if self._outstanding and now_ns - self._asked_ns > self._timeout_ns:
            self._outstanding = 0

    def _fetch(self) -> None:
        while True:
            now_ns = self._clock.now_ns()
            is_blind = self._outstanding and not self._waits
            try:
                frame = self._camera.grab(now_ns + SLICE_NS if is_blind else now_ns)
            except FrameTimeoutError:
                return
            try:
                self._pass_on(frame)
            finally:
                frame.release()
            self._outstanding = max(0, self._outstanding - 1)

    def _pass_on(self, frame: Frame) -> None:
        self._frames += 1
        slot = self._slots.free()
        if slot is None:
            return
        if frame.image.shape != slot.shape:
            height, width = frame.image.shape[:2]
            raise CameraError(
                f"camera {self._camera.name!r} sent a frame of {width} x {height} px, the settings name"
                f" {self._settings.width_px} x {self._settings.height_px} px with {self._settings.channels} channel(s)",
                "correct width_px, height_px and channels of the camera",
            )
        np.copyto(slot, frame.image)
        self._last_frame_ns = self._clock.now_ns()
        self._slots.publish(replace(frame, in_memory_ns=self._last_frame_ns))
