"""Recorded pictures as a camera: the next one at every trigger."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from app.capture.pictures import with_channels
from app.clock import Clock
from app.config import CameraSettings
from app.errors import CameraError, DataError, FrameTimeoutError
from app.types import Frame, Image

MOST_WAITING = 16


class Reel(Protocol):
    """Pictures in a fixed order."""

    def open(self) -> None:
        """Goes to the first picture; an open reel is wound back.

        Raises:
            CameraError: There are no pictures.
            DataError: The same.
        """
        ...

    def next(self) -> tuple[Image, str] | None:
        """The next picture and its name; `None` after the last.

        Raises:
            DataError: It cannot be read; the one after it comes next.
        """
        ...

    def close(self) -> None:
        """Lets the files go. Idempotent."""
        ...


class PlaybackCamera:
    """A camera that shows the next picture of a reel at every trigger.

    The picture is read at the trigger, as an exposure would be made, so that `grab` never waits for a disk.

    Args:
        settings: Pictures must have the size that is set, and get the channels that are.
        clock: Stamps the frames.
        reel: The pictures.
        is_looping: Begin again after the last picture; otherwise a trigger after the last one is an error.
    """

    def __init__(self, settings: CameraSettings, clock: Clock, reel: Reel, *, is_looping: bool) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        self._reel = reel
        self._is_looping = is_looping
        self._is_open = False
        self._triggers = 0
        self._waiting: deque[Frame | CameraError] = deque()

    def open(self) -> None:
        """Goes to the first picture.

        Raises:
            CameraError: There are no pictures, or they cannot be read.
        """
        if self._is_open:
            return
        try:
            self._reel.open()
        except DataError as error:
            raise self._error(error.what, error.mend) from error
        self._is_open = True
        self._triggers = 0

    def trigger(self, at_ns: int) -> None:
        """Reads the next picture; what is wrong with it is said by the `grab` that would have fetched it.

        Raises:
            CameraError: Closed, past the last picture, or too many pictures wait to be grabbed.
        """
        self._check_open()
        if len(self._waiting) >= MOST_WAITING:
            raise self._error(f"{MOST_WAITING} pictures wait to be fetched", "grab after each trigger")
        self._triggers += 1
        try:
            picture = self._next()
        except DataError as error:
            self._waiting.append(self._error(error.what, error.mend))
            return
        self._waiting.append(self._answer(*picture, at_ns))

    def grab(self, deadline_ns: int) -> Frame:  # noqa: ARG002  (what was triggered is there; nothing else will come)
        """The picture of the oldest trigger that has none yet.

        Raises:
            FrameTimeoutError: No trigger is unanswered.
            CameraError: Closed, or the picture cannot be read or has another size.
        """
        self._check_open()
        if not self._waiting:
            raise FrameTimeoutError(f"camera {self.name!r} has no frame, as nothing triggered it", "trigger it first")
        answer = self._waiting.popleft()
        if isinstance(answer, CameraError):
            raise answer
        return answer

    def close(self) -> None:
        """Forgets what waits and goes back to the start. Idempotent."""
        self._reel.close()
        self._waiting.clear()
        self._is_open = False

    def _next(self) -> tuple[Image, str]:
        picture = self._reel.next()
        if picture is None and self._is_looping:
            self._reel.open()
            picture = self._reel.next()
        if picture is None:
            raise self._error("all pictures have been shown", "give it more, or let it loop")
        return picture

    def _answer(self, image: Image, name: str, at_ns: int) -> Frame | CameraError:
        wanted = self._settings
        if image.shape[:2] != (wanted.height_px, wanted.width_px):
            return self._error(
                f"{name} has {image.shape[1]} x {image.shape[0]} px where width_px and height_px say"
                f" {wanted.width_px} x {wanted.height_px}",
                "correct the settings or take the picture out",
            )
        return Frame(
            image=with_channels(image, wanted.channels),
            camera=self.name,
            host_ns=at_ns,
            counter=self._triggers,
            in_memory_ns=self._clock.now_ns(),
            name=name,
        )

    def _check_open(self) -> None:
        if not self._is_open:
            raise self._error("it is closed", "open it first")

    def _error(self, what: str, mend: str) -> CameraError:
        return CameraError(f"camera {self.name!r}: {what}", mend)
