"""The seam `Camera`."""

from __future__ import annotations

from typing import Protocol

from app.types import Frame


class Camera(Protocol):
    """A source of frames.

    Frames are uint8, (height, width) for mono or (height, width, 3) in BGR, of the size that the settings name. The
    pixels belong to the caller until `Frame.release()`.
    """

    name: str

    def open(self) -> None:
        """Makes the camera ready; opening an open camera does nothing.

        Raises:
            CameraError: Not found, busy, or it cannot give what the settings ask.
            MissingDriverError: The library of this driver is not installed.
        """
        ...

    def trigger(self, at_ns: int) -> None:
        """Asks for one exposure now. A camera that runs freely marks the next frame as the answer.

        Raises:
            CameraError: The camera is closed or gone.
        """
        ...

    def grab(self, deadline_ns: int) -> Frame:
        """The next frame that answers a trigger; never blocks past the deadline.

        Args:
            deadline_ns: By the injected clock. A deadline that is not in the future makes this a poll.

        Raises:
            FrameTimeoutError: None came in time.
            CameraError: The camera is closed, gone, or sent what the settings do not allow.
        """
        ...

    def close(self) -> None:
        """Lets the camera go. Idempotent; afterwards `open` works again."""
        ...
