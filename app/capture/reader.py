"""The thread that reads a camera which runs freely, and keeps the frame that answers a trigger."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from app.capture.arrivals import Arrivals
from app.clock import NS_PER_MS, Clock
from app.errors import CameraError

MOST_WAITING = 4
"""Frames that wait to be taken; the oldest is dropped for one more."""

_GOODBYE_S = 0.5


class Device(Protocol):
    """What is used of `cv2.VideoCapture`."""

    def isOpened(self) -> bool:  # noqa: N802
        """It delivers frames."""
        ...

    def read(self) -> tuple[bool, NDArray[np.uint8]]:
        """Waits for a frame; for how long is up to the driver beneath."""
        ...

    def get(self, property_id: int, /) -> float:
        """A property; 0 where it has none of that number."""
        ...

    def release(self) -> None:
        """Lets it go."""
        ...


class Ring:
    """A descriptor that is readable while something waits; closed when nobody has it any more."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """The descriptor, to wait for."""
        return self._fd

    def ring(self) -> None:
        """Makes it readable."""
        os.eventfd_write(self._fd, 1)

    def hush(self) -> None:
        """Makes it unreadable."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._fd)

    def __del__(self) -> None:
        os.close(self._fd)


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A frame as it was read.

    Attributes:
        image: As the device gave it.
        earliest_ns: When its exposure began at the earliest.
        latest_ns: And at the latest.
        done_ns: When it was in memory.
        device_ns: The device's own stamp, where it has one.
        number: Of the trigger that it answers; of a stream, counts the frames of the device since it was opened.
    """

    image: NDArray[np.uint8]
    earliest_ns: int
    latest_ns: int
    done_ns: int
    device_ns: int | None
    number: int


@dataclass(frozen=True, slots=True)
class Manner:
    """How a reader is to treat what it reads.

    Attributes:
        complaint: What is wrong with a frame; empty where nothing is.
        arrivals: When a frame arrived.
        is_stamped: The position that OpenCV gives a frame is the device's stamp.
        exposure_ns: Time the exposure takes.
        transfer_ns: Longest time from the end of the exposure to the arrival.
    """

    complaint: Callable[[NDArray[np.uint8]], str]
    arrivals: Arrivals
    is_stamped: bool
    exposure_ns: int
    transfer_ns: int


class Reader:
    """Opens a device, reads it and releases it, all in a thread of its own, as each of these may hang.

    Args:
        open_device: Opens the device.
        manner: How to treat its frames.
        clock: Stamps them.
        name: The camera's.
        ring: Rings when there is something to take.
    """

    def __init__(self, open_device: Callable[[], Device], manner: Manner, clock: Clock, name: str, ring: Ring) -> None:
        self._open_device = open_device
        self._manner = manner
        self._clock = clock
        self._ring = ring
        self._changed = threading.Condition()
        self._is_open = False
        self._is_stopped = False
        self._is_streaming = False
        self._asked_ns: int | None = None
        self._asked = 0
        self._waiting: deque[Shot] = deque()
        self._number = 0
        self._complaint = ""
        self.is_gone = False
        self.trouble: CameraError | None = None
        self.refused = 0
        self.dropped = 0
        self.heard_ns = 0
        self.last_refusal = ""
        self._thread = threading.Thread(target=self._run, name=f"camera {name}", daemon=True)
        self._thread.start()

    def wait_open(self, timeout_s: float) -> bool:
        """Waits until the device is open; `False` where it does not open, or not in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_open or self.is_gone, timeout=timeout_s)
            return self._is_open

    def ask(self, at_ns: int, number: int) -> None:
        """The first frame exposed after this is the answer; forgets a trigger before that has none yet."""
        with self._changed:
            self._asked_ns, self._asked = at_ns, number

    def stream(self) -> None:
        """Keeps every frame from now on."""
        with self._changed:
            self._is_streaming = True

    def take(self, timeout_s: float) -> Shot | str | None:
        """The next frame; what was wrong with the one that would have been it; or `None` when nothing came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._complaint or self.is_gone, max(0.0, timeout_s))
            shot = self._waiting.popleft() if self._waiting else None
            complaint = ""
            if shot is None:
                complaint, self._complaint = self._complaint, ""
            if not self._waiting and not self._complaint and not self.is_gone:
                self._ring.hush()
            return shot or complaint or None

    def stop(self) -> None:
        """Lets the thread end. One that hangs in the driver is left behind; it lets the device go when it returns."""
        with self._changed:
            self._is_stopped = True
            self._waiting.clear()
            self._ring.hush()
        self._thread.join(timeout=_GOODBYE_S)

    def _run(self) -> None:
        device = None
        try:
            device = self._open()
            while device is not None and not self._is_stopped and self._read(device):
                pass
        finally:
            with self._changed:
                self.is_gone = True
                self._announce()
            if device is not None:
                device.release()

    def _open(self) -> Device | None:
        try:
            device = self._open_device()
        except CameraError as error:
            self.trouble = error
            return None
        if not device.isOpened():
            device.release()
            return None
        with self._changed:
            self._is_open = True
            self._changed.notify_all()
        return device

    def _read(self, device: Device) -> bool:
        begun_ns = self._clock.now_ns()
        try:
            is_read, image = device.read()
        except cv2.error:
            return False
        if is_read:
            done_ns = self._clock.now_ns()
            # GStreamer warns on stderr where it is asked for what it does not know.
            position_ms = device.get(cv2.CAP_PROP_POS_MSEC) if self._manner.is_stamped else 0.0
            self._sort(image, begun_ns, done_ns, position_ms)
        return is_read

    def _sort(self, image: NDArray[np.uint8], begun_ns: int, done_ns: int, position_ms: float) -> None:
        manner = self._manner
        complaint = manner.complaint(image)
        arrival = manner.arrivals(begun_ns, done_ns, position_ms)
        with self._changed:
            self._number += 1
            self.heard_ns = done_ns
            if complaint:
                self.refused += 1
                self.last_refusal = complaint
            if arrival is None or self._is_stopped:
                return
            earliest_ns = arrival[0] - manner.exposure_ns - manner.transfer_ns
            if not self._is_streaming and (self._asked_ns is None or earliest_ns < self._asked_ns):
                return
            self._asked_ns = None
            if complaint:
                self._complaint = complaint
            else:
                device_ns = round(position_ms * NS_PER_MS) if position_ms and manner.is_stamped else None
                latest_ns = arrival[1] - manner.exposure_ns
                number = self._number if self._is_streaming else self._asked
                self._keep(Shot(image, earliest_ns, latest_ns, done_ns, device_ns, number))
            self._announce()

    def _keep(self, shot: Shot) -> None:
        if len(self._waiting) == MOST_WAITING:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(shot)

    def _announce(self) -> None:
        self._changed.notify_all()
        if not self._is_stopped:
            self._ring.ring()
