"""A camera whose frames trigger parts, for a station that has its cameras in its own process."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from app.capture.camera import Camera, Spotter
from app.config import CameraSettings, Line
from app.errors import CameraError
from app.types import Frame


class WatchedCamera:
    """Shows every frame of a camera to a spotter, and hands out those in which it sees a part come.

    In real time the capture process does the same (`app.capture.feeder`).

    Args:
        camera: A camera that can run freely.
        spotter: Sees parts come.
    """

    def __init__(self, camera: Camera, spotter: Spotter) -> None:
        self.name = camera.name
        self._camera = camera
        self._spotter = spotter
        self._seen: deque[Frame] = deque()

    def open(self) -> None:
        """Opens the camera and lets it run.

        Raises:
            CameraError: It does not open, or cannot run freely.
        """
        self._camera.open()
        stream = getattr(self._camera, "stream", None)
        if stream is None:
            raise CameraError(f"camera {self.name!r} cannot run freely", "trigger by a sensor, or use another camera")
        stream()
        self._spotter.restart()

    def trigger(self, at_ns: int) -> None:
        """Does nothing: it runs freely."""

    def grab(self, deadline_ns: int) -> Frame:
        """The next frame in which a part has come; one with two parts comes twice.

        Raises:
            FrameTimeoutError: None came in time.
            CameraError: The camera is closed or gone.
        """
        while not self._seen:
            frame = self._camera.grab(deadline_ns)
            leads_um = self._spotter.look(frame)
            if not leads_um:
                frame.release()
            for left, lead_um in enumerate(reversed(leads_um)):
                # The one that is handed out last gives the frame back.
                release = frame.release if left == 0 else _keep
                self._seen.appendleft(replace(frame, lead_um=lead_um, release=release))
        return self._seen.popleft()

    def close(self) -> None:
        """Lets the camera go. Idempotent."""
        while self._seen:
            self._seen.popleft().release()
        self._camera.close()


def spotter_for(line: Line, camera: CameraSettings) -> Spotter | None:
    """What sees parts come in the frames of a camera; `None` where that camera triggers nothing."""
    vision = line.trigger.vision
    if line.trigger.source != "vision" or vision is None or vision.camera != camera.name:
        return None
    from app.capture.vision.spotter import Spotter as VisionTrigger  # noqa: PLC0415 - 0.4 s that other lines do not need

    return VisionTrigger(vision, camera, line.part)


def _keep() -> None:
    """Releases nothing: the same frame is handed out once more."""
