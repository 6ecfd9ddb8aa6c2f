"""Cameras that run freely, read by OpenCV in a thread: V4L2 devices, network streams and GStreamer pipelines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.capture.address import device_of
from app.capture.arrivals import Arrivals, read_times
from app.capture.camera import Found, Knob
from app.capture.pictures import with_channels
from app.capture.reader import Device, Manner, Reader, Ring, Shot
from app.capture.v4l2_nodes import holder_of
from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.config import CameraSettings
from app.errors import CameraError, FrameTimeoutError, redacted
from app.status import Trouble
from app.types import Frame, Scalar

OPEN_S = 5.0
"""Longest wait for a device to open. One that hangs longer is left behind in its thread."""

_GONE = ("it stopped sending frames", "check its cable and power, then open it again", Trouble.GONE.value)


class Controls(Protocol):
    """The settings of a device by their names, as `app.capture.v4l2` has them."""

    def about(self) -> Found:
        """Which camera this is."""
        ...

    def apply(self, settings: CameraSettings) -> None:
        """Sets what the settings ask for."""
        ...

    def knobs(self) -> tuple[Knob, ...]:
        """All of them."""
        ...

    def adjust(self, name: str, value: Scalar) -> Scalar:
        """Sets one, and returns what the device took."""
        ...

    def close(self) -> None:
        """Lets the device go."""
        ...


class LiveCamera:
    """A camera that runs freely, read by a thread of its own.

    OpenCV may block for seconds, in `read` as in opening, when a device or a server stalls, whatever time-outs it was
    given. So a thread opens and reads, and `grab` waits for it no longer than its deadline. A frame answers a trigger
    when its exposure surely began after it, which is `exposure_ms` and `transfer_ms` before the earliest time at which
    it can have arrived (`app.capture.arrivals`); frames from before are thrown away. A second trigger before the answer
    takes the first one's place.

    `Frame.counter` counts the triggers since the camera was opened, and so names the trigger that the frame answers;
    after `stream` it counts the frames of the device, those that were refused or dropped too, so that a gap shows.
    `Frame.device_ns` is the kernel's stamp of a V4L2 frame, or the time that a stream gives it.

    A frame of another size or type than is set is refused: it counts in `refused`, `last_refusal` says why, and `grab`
    says the same at once instead of at its deadline. The camera stays open.

    Args:
        settings: `source` names the device or stream; frames must have the size that is set.
        clock: Stamps the frames.
        open_device: Opens the source.
        arrivals: When a frame arrived; must say it anew for each opening, so this makes it.
        open_controls: Opens the settings of the device, where it has any.
    """

    def __init__(
        self,
        settings: CameraSettings,
        clock: Clock,
        open_device: Callable[[CameraSettings], Device],
        arrivals: Callable[[], Arrivals] = lambda: read_times,
        open_controls: Callable[[], Controls] | None = None,
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        self._open_device = open_device
        self._arrivals = arrivals
        self._open_controls = open_controls
        self._ring = Ring()
        self._reader: Reader | None = None
        self._controls: Controls | None = None
        self._triggers = 0
        self._refused_before = 0
        self._dropped_before = 0
        self._last_refusal = ""

    @property
    def refused(self) -> int:
        """Frames of another size or type than is set, since this object was made."""
        return self._refused_before + (self._reader.refused if self._reader else 0)

    @property
    def last_refusal(self) -> str:
        """What was wrong with the last of them; empty when there was none."""
        return (self._reader.last_refusal if self._reader else "") or self._last_refusal

    @property
    def dropped(self) -> int:
        """Frames that were not fetched in time, since this object was made."""
        return self._dropped_before + (self._reader.dropped if self._reader else 0)

    @property
    def heard_ns(self) -> int:
        """When the device last sent a frame, wanted or not; 0 before the first."""
        return self._reader.heard_ns if self._reader else 0

    def fileno(self) -> int:
        """Readable when `grab` has something to say; the same through closing and opening again."""
        return self._ring.fileno()

    def open(self) -> None:
        """Opens the device, sets it and starts reading.

        Raises:
            CameraError: Absent or busy, it does not open in `OPEN_S`, or it refuses a setting.
        """
        if self._reader is not None:
            return
        arrivals = self._arrivals()
        wanted = self._settings
        manner = Manner(
            complaint=self._complaint,
            arrivals=arrivals,
            is_stamped=arrivals is not read_times,
            exposure_ns=round(wanted.exposure_ms * NS_PER_MS),
            transfer_ns=round(wanted.transfer_ms * NS_PER_MS),
        )
        reader = Reader(partial(self._open_device, wanted), manner, self._clock, self.name, self._ring)
        if not reader.wait_open(OPEN_S):
            reader.stop()
            if reader.trouble is not None:
                raise self._error(reader.trouble.what, reader.trouble.mend, reader.trouble.code)
            what, mend, trouble = self.why_closed(is_gone=reader.is_gone)
            raise self._error(what, mend, trouble.value)
        self._triggers = 0
        self._reader = reader
        try:
            self._set()
        except CameraError as error:
            self.close()
            raise self._error(error.what, error.mend, error.code) from error

    def trigger(self, at_ns: int) -> None:
        """Marks the first frame exposed after now as the answer; after `stream` it changes nothing.

        Raises:
            CameraError: Closed or gone.
        """
        reader = self._opened()
        if reader.is_gone:
            raise self._error(*_GONE)
        self._triggers += 1
        reader.ask(at_ns, self._triggers)

    def stream(self) -> None:
        """From now on every frame is handed out, oldest first and at most `MOST_WAITING` behind; until `close`.

        Raises:
            CameraError: Closed.
        """
        self._opened().stream()

    def grab(self, deadline_ns: int) -> Frame:
        """Waits for the answer to the last trigger, or for the next frame of the stream.

        Raises:
            FrameTimeoutError: None came in time, or the one that came was refused.
            CameraError: Closed or gone.
        """
        reader = self._opened()
        taken = reader.take((deadline_ns - self._clock.now_ns()) / NS_PER_S)
        if isinstance(taken, Shot):
            return self._frame(taken)
        if isinstance(taken, str):
            raise FrameTimeoutError(f"camera {self.name!r}: {taken}", "set a size that it can send")
        if reader.is_gone:
            raise self._error(*_GONE)
        raise FrameTimeoutError(f"camera {self.name!r} sent no frame in time", "check its frame rate and cable")

    def close(self) -> None:
        """Stops the thread. Idempotent.

        A thread that hangs in the driver is left behind; it lets the device go when the driver returns.
        """
        if self._controls is not None:
            self._controls.close()
            self._controls = None
        if self._reader is not None:
            self._reader.stop()
            self._refused_before, self._dropped_before = self.refused, self.dropped
            self._last_refusal = self.last_refusal
            self._reader = None

    def about(self) -> Found:
        """Which camera this is.

        Raises:
            CameraError: Closed.
        """
        self._opened()
        return (
            self._controls.about() if self._controls else Found(self._settings.driver, redacted(self._settings.source))
        )

    def knobs(self) -> tuple[Knob, ...]:
        """The controls of a V4L2 device; a stream has none.

        Raises:
            CameraError: Closed.
        """
        self._opened()
        return self._controls.knobs() if self._controls else ()

    def adjust(self, name: str, value: Scalar) -> Scalar:
        """Sets one control.

        Raises:
            CameraError: Closed, no such control (the nearest is named), or a value that it does not take.
        """
        self._opened()
        if self._controls is None:
            raise self._error(f"{redacted(self._settings.source)} has no settings", "set them where it is served")
        try:
            return self._controls.adjust(name, value)
        except CameraError as error:
            raise self._error(error.what, error.mend, error.code) from error

    def _set(self) -> None:
        if self._open_controls is not None:
            self._controls = self._open_controls()
            self._controls.apply(self._settings)

    def why_closed(self, *, is_gone: bool) -> tuple[str, str, Trouble]:
        """What to say of a source that does not open, the mend, and the same as a code.

        Args:
            is_gone: It refused; otherwise it still hangs.
        """
        source = redacted(self._settings.source)
        if not is_gone:
            return f"{source} did not open within {OPEN_S:g} s", "check its cable, network and power", Trouble.ABSENT
        holder = holder_of(device_of(self._settings.source) or "")
        if holder:
            return f"{source} does not open, it is in use by {holder}", "end that program", Trouble.BUSY
        return f"{source} does not open", "check that it exists and nothing else uses it", Trouble.ABSENT

    def _complaint(self, image: NDArray[np.uint8]) -> str:
        wanted = self._settings
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):  # noqa: PLR2004
            return f"it sends {image.dtype} pixels in {image.ndim} dimensions where 8-bit mono or BGR is needed"
        if image.shape[:2] != (wanted.height_px, wanted.width_px):
            return (
                f"it sends {image.shape[1]} x {image.shape[0]} px where width_px and height_px say"
                f" {wanted.width_px} x {wanted.height_px}"
            )
        return ""

    def _frame(self, shot: Shot) -> Frame:
        return Frame(
            image=with_channels(shot.image, self._settings.channels),
            camera=self.name,
            # The exposure began somewhere between the two: a free-running device says no more.
            host_ns=(shot.earliest_ns + shot.latest_ns) // 2,
            uncertainty_ns=(shot.latest_ns - shot.earliest_ns + 1) // 2,
            device_ns=shot.device_ns,
            counter=shot.number,
            in_memory_ns=shot.done_ns,
        )

    def _opened(self) -> Reader:
        if self._reader is None:
            raise self._error("it is closed", "open it first")
        return self._reader

    def _error(self, what: str, mend: str, code: str = "") -> CameraError:
        return CameraError(f"camera {self.name!r}: {what}", mend, code=code)
