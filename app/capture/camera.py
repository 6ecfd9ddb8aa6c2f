"""The seam `Camera`, and what some cameras offer beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.types import Frame, Scalar


class Camera(Protocol):
    """A source of frames.

    Frames are uint8, (height, width) for mono or (height, width, 3) in BGR, of the size that the settings name. The
    pixels belong to the caller until `Frame.release()`.

    A driver may offer more, which `app.capture.feeder` looks for: `fileno()`, readable when a frame may have come;
    `refused` and `last_refusal`, how many frames it did not hand out and why not the last; `heard_ns`, when the device
    last sent anything, wanted or not.
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


@dataclass(frozen=True, slots=True)
class Found:
    """A camera that could be used, or why it could not.

    Attributes:
        driver: Which driver opens it.
        source: What to write into `camera.source`.
        model: Maker and model, as the camera says.
        serial: Its serial number, where it has one.
        firmware: Version of its firmware, where it says.
        trouble: Why it cannot be used now, such as "in use by 192.168.1.7"; empty where it can.
    """

    driver: str
    source: str
    model: str = ""
    serial: str = ""
    firmware: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Knob:
    """One setting of a camera, as it stands.

    Attributes:
        name: The camera's own name of it: a GenICam feature, a V4L2 control.
        value: Its value now; `None` where it cannot be read.
        low: Least value of a number.
        high: Greatest value of a number.
        step: Between two values of a number.
        choices: What a choice may be.
        unit: Such as `us` or `dB`; empty where the camera names none.
        is_writable: It can be set now.
    """

    name: str
    value: Scalar = None
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    is_writable: bool = True


class Adjustable(Protocol):
    """What a camera with settings of its own offers beside `Camera`; all of it needs the camera open."""

    def about(self) -> Found:
        """Which camera this is."""
        ...

    def knobs(self) -> tuple[Knob, ...]:
        """Its settings, by name."""
        ...

    def adjust(self, name: str, value: Scalar) -> Scalar:
        """Sets one.

        Returns:
            What the camera took: it may round.

        Raises:
            CameraError: It has no such setting (the message names the nearest that it has), or refuses the value (the
                message names its bounds or choices).
        """
        ...


class Streaming(Protocol):
    """What a camera that can run freely offers beside `Camera`."""

    def stream(self) -> None:
        """From now on every frame is handed out by `grab`, oldest first and at most a few behind; until `close`."""
        ...


class Spotter(Protocol):
    """Sees in the frames of a camera that runs freely when a new part has come."""

    def look(self, frame: Frame) -> Sequence[int]:
        """Takes the next frame.

        Returns:
            For each part that is new in it, how far its leading edge is beyond the camera's position, in micrometres
            of belt.
        """
        ...

    def restart(self) -> None:
        """Frames are missing: what was seen before says nothing of what comes."""
        ...
