"""Driver `opencv`: V4L2 devices and network streams, which run freely, and video files (`app.capture.video`)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from app.capture.camera import Camera
from app.capture.pictures import quiet, with_channels
from app.capture.video import VideoCamera
from app.clock import NS_PER_S, Clock
from app.config import CameraSettings
from app.errors import CameraError, FrameTimeoutError
from app.types import Frame

_DEVICE = re.compile(r"(?:/dev/video)?(\d{1,3})")
_GOODBYE_S = 0.5


class Device(Protocol):
    """What is used of `cv2.VideoCapture`."""

    def isOpened(self) -> bool:  # noqa: N802
        """It delivers frames."""
        ...

    def read(self) -> tuple[bool, NDArray[np.uint8]]:
        """Waits for a frame; for how long is up to the driver beneath."""
        ...

    def release(self) -> None:
        """Lets it go."""
        ...


class LiveCamera:
    """A camera that runs freely, read by a thread of its own.

    `read` of OpenCV may block for seconds when a device or a server stalls, whatever time-outs it was given. So a
    thread reads, and `grab` waits for it no longer than its deadline. The thread throws every frame away until a
    trigger: the answer is the first frame whose reading began after it, so that no exposure from before it is taken.
    A second trigger before the answer takes the first one's place.

    Args:
        settings: `source` names the device or stream; frames must have the size that is set.
        clock: Stamps the frames.
        open_device: Opens the source.
    """

    def __init__(
        self, settings: CameraSettings, clock: Clock, open_device: Callable[[CameraSettings], Device] | None = None
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        self._open_device = open_device or _open_device
        self._reader: _Reader | None = None
        self._triggers = 0

    def open(self) -> None:
        """Opens the device and starts reading.

        Raises:
            CameraError: Absent or busy.
        """
        if self._reader is not None:
            return
        device = self._open_device(self._settings)
        if not device.isOpened():
            device.release()
            raise self._error(f"{self._settings.source} does not open", "check that it exists and nothing else uses it")
        self._triggers = 0
        self._reader = _Reader(device, self._clock, self.name)

    def trigger(self, at_ns: int) -> None:
        """Marks the first frame after now as the answer.

        Raises:
            CameraError: Closed or gone.
        """
        reader = self._opened()
        if reader.is_gone:
            raise self._error("it stopped sending frames", "check its cable and power, then open it again")
        self._triggers += 1
        reader.ask(at_ns)

    def grab(self, deadline_ns: int) -> Frame:
        """Waits for the answer to the last trigger.

        Raises:
            FrameTimeoutError: None came in time.
            CameraError: Closed, gone, or the frame has another size than is set.
        """
        reader = self._opened()
        read = reader.answer((deadline_ns - self._clock.now_ns()) / NS_PER_S)
        if read is None and reader.is_gone:
            raise self._error("it stopped sending frames", "check its cable and power, then open it again")
        if read is None:
            raise FrameTimeoutError(f"camera {self.name!r} sent no frame in time", "check its frame rate and cable")
        image, begun_ns, done_ns = read
        wanted = self._settings
        if image.ndim not in (2, 3) or image.shape[:2] != (wanted.height_px, wanted.width_px):
            raise self._error(
                f"it sends {' x '.join(str(side) for side in image.shape[1::-1])} px where width_px and height_px say"
                f" {wanted.width_px} x {wanted.height_px}",
                "set a size that it can send",
            )
        return Frame(
            image=with_channels(image, wanted.channels),
            camera=self.name,
            # The exposure lies somewhere between the two: a free-running device says no more.
            host_ns=(begun_ns + done_ns) // 2,
            uncertainty_ns=(done_ns - begun_ns + 1) // 2,
            counter=self._triggers,
            in_memory_ns=done_ns,
        )

    def close(self) -> None:
        """Stops the thread. Idempotent.

        A thread that hangs in the driver is left behind; it lets the device go when the driver returns.
        """
        if self._reader is not None:
            self._reader.stop()
            self._reader = None

    def _opened(self) -> _Reader:
        if self._reader is None:
            raise self._error("it is closed", "open it first")
        return self._reader

    def _error(self, what: str, mend: str) -> CameraError:
        return CameraError(f"camera {self.name!r}: {what}", mend)


_Read = tuple[NDArray[np.uint8], int, int]


class _Reader:
    """The thread that owns the device: it reads, and releases it at the end."""

    def __init__(self, device: Device, clock: Clock, name: str) -> None:
        self._device = device
        self._clock = clock
        self._changed = threading.Condition()
        self._asked_ns: int | None = None
        self._answer: _Read | None = None
        self._is_stopped = False
        self.is_gone = False
        self._thread = threading.Thread(target=self._run, name=f"camera {name}", daemon=True)
        self._thread.start()

    def ask(self, at_ns: int) -> None:
        with self._changed:
            self._asked_ns, self._answer = at_ns, None

    def answer(self, timeout_s: float) -> _Read | None:
        with self._changed:
            self._changed.wait_for(lambda: self._answer is not None or self.is_gone, timeout=max(0.0, timeout_s))
            answer, self._answer = self._answer, None
            return answer

    def stop(self) -> None:
        with self._changed:
            self._is_stopped = True
        self._thread.join(timeout=_GOODBYE_S)

    def _run(self) -> None:
        try:
            while not self._is_stopped:
                begun_ns = self._clock.now_ns()
                try:
                    is_read, image = self._device.read()
                except cv2.error:
                    is_read = False
                if not is_read:
                    break
                self._offer((image, begun_ns, self._clock.now_ns()))
        finally:
            with self._changed:
                self.is_gone = True
                self._changed.notify_all()
            self._device.release()

    def _offer(self, read: _Read) -> None:
        with self._changed:
            if self._asked_ns is not None and read[1] >= self._asked_ns:
                self._asked_ns, self._answer = None, read
                self._changed.notify_all()


def open_opencv(settings: CameraSettings, clock: Clock) -> Camera:
    """The camera for `settings.source`: a device number or `/dev/videoN`, an address with `://`, or a video file."""
    if _DEVICE.fullmatch(settings.source) or "://" in settings.source:
        return LiveCamera(settings, clock)
    return VideoCamera(settings, clock)


def _open_device(settings: CameraSettings) -> Device:
    number = _DEVICE.fullmatch(settings.source)
    with quiet():
        if number is None:
            return cv2.VideoCapture(settings.source, cv2.CAP_FFMPEG)  # type: ignore[return-value]
        wanted = [cv2.CAP_PROP_FRAME_WIDTH, settings.width_px, cv2.CAP_PROP_FRAME_HEIGHT, settings.height_px]
        # One buffer: a frame that waited in a queue would answer a trigger that came after its exposure.
        wanted += [cv2.CAP_PROP_BUFFERSIZE, 1]
        return cv2.VideoCapture(int(number[1]), cv2.CAP_V4L2, wanted)  # type: ignore[return-value]
