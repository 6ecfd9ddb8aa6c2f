"""The twin's camera by itself: a belt in software that no station watches, with rendered boards under the camera."""

from __future__ import annotations

from app.clock import NS_PER_MS, VirtualClock
from app.config import CameraSettings, Line
from app.errors import CameraError
from app.twin.camera import TwinCamera
from app.twin.machine import Machine
from app.twin.parts import RenderedParts
from app.twin.pins import TwinFactory
from app.twin.scenario import Scenario
from app.types import Frame

_PARTS = 1_000_000
_STEP_NS = NS_PER_MS // 2
_NEAR_MM = 1.0
_LONGEST_NS = 120_000 * NS_PER_MS


class TwinStand:
    """A camera that sees the next board of the twin's belt at every trigger, in virtual time.

    Args:
        settings: The camera.
        line: Its line.
    """

    def __init__(self, settings: CameraSettings, line: Line) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = VirtualClock(1)
        pitch_mm = 2 * line.part.min_pitch_mm
        # Without the permit relay, for which nobody is there to toggle it, the belt runs by itself.
        self._machine = Machine(
            line.model_copy(update={"permit": None}),
            TwinFactory(self._clock),
            self._clock,
            RenderedParts(0, _PARTS),
            Scenario(pitch_mm=pitch_mm),
            recent=1,
        )
        self._camera = TwinCamera(settings, self._machine, self._clock)
        self._seen = -1

    def open(self) -> None:
        """Makes it ready."""
        self._camera.open()

    def trigger(self, at_ns: int) -> None:  # noqa: ARG002 - the belt has a time of its own
        """Lets the belt run until the next board is under the camera, exposes it, and waits for the transfer.

        Raises:
            CameraError: No board comes.
        """
        until_ns = self._clock.now_ns() + _LONGEST_NS
        while not self._has_come():
            self._run_on(until_ns)
        self._camera.trigger(self._clock.now_ns())
        while not self._camera.is_ready:
            self._run_on(until_ns)

    def grab(self, deadline_ns: int) -> Frame:
        """The picture of the last trigger.

        Raises:
            FrameTimeoutError: Nothing triggered it.
        """
        return self._camera.grab(deadline_ns)

    def close(self) -> None:
        """Lets it go."""
        self._camera.close()

    def _has_come(self) -> bool:
        body = self._machine.under(self._settings.position_mm, _NEAR_MM)
        if body is None or body.index <= self._seen:
            return False
        self._seen = body.index
        return True

    def _run_on(self, until_ns: int) -> None:
        if self._clock.now_ns() > until_ns:
            raise CameraError(f"camera {self.name!r}: no board comes on the twin's belt", "look at its speed and pitch")
        self._machine.run(self._clock.now_ns() + _STEP_NS)
