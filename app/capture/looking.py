"""Pictures for people who look at a camera, of which the station sees nothing.

While somebody looks (`app.bus.peek`), a line that runs shows them its parts: nothing is done here. A camera that runs
freely has its newest picture copied for them now and then. A line that stands sends no triggers, and that is when a
lens is focused: then the camera is asked for a picture about four times a second, and the picture goes into a file of
its own.

Such a question is a *look*. It must not touch a part:

- it is asked only while the station says that the belt stands, or says nothing at all, and no trigger has come for a
  second, nor for twice the time in which a frame must come;
- a trigger that comes while a look is out goes to the camera at once, as ever. What was exposed before it is the
  look's, what was exposed after it is the part's. Where the camera gives but one picture for both, it is the part's;
  where it gives none for the part, that is rejected as any other without a frame;
- where frames are bound by the camera's own count of triggers, what it counted for looks is taken off again. Should a
  part's trigger be lost to a look, nobody knows what the camera has counted, and it is opened again.

Cameras that a wire triggers are never asked, nor are pictures from disk: each belongs to a part.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from app.bus.block import read_block
from app.bus.peek import WishReader, looked_beside, wish_beside
from app.bus.slots import SlotWriter
from app.capture.examine import is_recorded
from app.clock import NS_PER_MS, NS_PER_S
from app.config import CameraSettings
from app.errors import BusError
from app.status import decode_status
from app.types import Frame

PERIOD_NS = 250 * NS_PER_MS
"""A picture for those who look comes so often."""

QUIET_NS = NS_PER_S
"""The camera is asked only when no trigger has come for so long."""

STANDING_MM_S = 0.5
"""A belt slower than this stands."""

KEPT_NS = 5 * NS_PER_S
"""When nobody has looked for so long, the memory of the pictures is given back."""

_TEND_NS = 100 * NS_PER_MS
_STALE_NS = NS_PER_S
_SLOTS = 2


class Looks:
    """Knows when somebody looks at a camera, and shows them pictures. Belongs to the thread that runs the camera.

    Args:
        settings: The camera.
        frames: Its slots; the files for those who look lie beside them.
        status: The status block of the lane's station.
        is_streaming: The camera runs freely.

    Attributes:
        shows: What those who look are shown: `asked`, pictures that the camera is asked for while the line stands, and
            its parts while it runs; `streaming`, what it sees; `wired` or `recorded`, its parts only, and why.
        counted: What the camera has counted for looks and not for parts, since it was opened.
    """

    def __init__(self, settings: CameraSettings, frames: Path, status: Path, *, is_streaming: bool = False) -> None:
        self.shows = "streaming" if is_streaming else _shows(settings)
        self._settings = settings
        self._counts = settings.binding == "counter"
        self._quiet_ns = max(QUIET_NS, round(2 * settings.frame_timeout_ms * NS_PER_MS))
        self._wish = WishReader(wish_beside(frames))
        self._path = looked_beside(frames)
        self._status = status
        self._shown: SlotWriter | None = None
        self._is_wished = False
        self._tended_ns = self._wished_ns = self._shown_ns = 0
        self.counted = 0
        self.forget(0)

    def forget(self, now_ns: int) -> None:
        """The camera was opened: nothing is out, and it counts anew."""
        self._asked_ns: int | None = None
        self._parted_ns: int | None = None
        self._collided_ns: int | None = None
        self._out = self._triggers = 0
        self._triggered_ns = now_ns
        self._counter: int | None = None
        self.counted = 0

    def is_out(self, now_ns: int) -> bool:
        """The camera was asked for a picture that has not come, and may still come."""
        return self._asked_ns is not None and now_ns - self._asked_ns < self._quiet_ns

    def is_due(self, now_ns: int) -> bool:
        """Somebody looks and has not been shown a picture for a while. Costs nothing but the time of a comparison."""
        if now_ns - self._tended_ns >= _TEND_NS:
            self._tended_ns = now_ns
            self._tend(now_ns)
        return self._is_wished and now_ns - self._shown_ns >= PERIOD_NS

    def may_ask(self, now_ns: int) -> bool:
        """A picture is due, the camera can be asked for one, and no part is near."""
        if self.shows != "asked" or not self.is_due(now_ns) or now_ns - self._triggered_ns < self._quiet_ns:
            return False
        return not self.is_out(now_ns) and self._stands(now_ns)

    def asked(self, now_ns: int) -> None:
        """The camera is asked for a picture."""
        self._asked_ns, self._parted_ns = now_ns, None
        self._out += 1
        self._shown_ns = now_ns

    def triggered(self, at_ns: int) -> None:
        """The camera is asked for a part."""
        self._triggers += 1
        self._triggered_ns = at_ns
        if self._asked_ns is not None and self._parted_ns is None:
            self._parted_ns = self._collided_ns = at_ns

    def owns(self, frame: Frame) -> bool:
        """The frame answers a look: it was exposed after that was asked, and before any trigger of a part."""
        latest_ns = frame.host_ns + frame.uncertainty_ns
        if self._asked_ns is None or latest_ns < self._asked_ns:
            return False
        return self._parted_ns is None or latest_ns < self._parted_ns

    def answered(self, frame: Frame) -> None:
        """A look's frame has come."""
        if self._counts and frame.counter is not None and self._counter is not None:
            self.counted += 1 if self._triggers else max(0, frame.counter - self._counter)
        self._note(frame.counter)

    def passed(self, frame: Frame) -> None:
        """A part's frame has come: what the camera was asked before that has no answer any more."""
        if self._counts and self._counter is not None:
            self.counted += self._out
        self._collided_ns = None
        self._note(frame.counter)

    def has_lost(self, trigger_ns: int) -> bool:
        """A trigger that got no answer came while a look was out, and what the camera has counted is not known."""
        return self._counts and self._collided_ns == trigger_ns

    def show(self, frame: Frame, now_ns: int) -> None:
        """Copies a frame to where those who look find it; where there is no memory for it, they see none."""
        self._shown_ns = now_ns
        with suppress(BusError):
            self._opened().put(replace(frame, in_memory_ns=now_ns))

    def close(self) -> None:
        """Gives the memory back. Idempotent."""
        if self._shown is not None:
            self._shown.close()
            self._path.unlink(missing_ok=True)
        self._shown = None
        self._wish.close()

    def _note(self, counter: int | None) -> None:
        self._counter = counter
        self._asked_ns = self._parted_ns = None
        self._out = self._triggers = 0

    def _tend(self, now_ns: int) -> None:
        self._is_wished = self._wish.is_fresh(now_ns)
        if self._is_wished:
            self._wished_ns = now_ns
        elif self._shown is not None and now_ns - self._wished_ns >= KEPT_NS:
            self.close()

    def _opened(self) -> SlotWriter:
        if self._shown is None:
            wanted = self._settings
            size = (wanted.height_px, wanted.width_px, wanted.channels)
            self._shown = SlotWriter(self._path, _SLOTS, *size, is_given=False)
        return self._shown

    def _stands(self, now_ns: int) -> bool:
        """The station says that the belt stands; one that says nothing sends no triggers."""
        try:
            said = decode_status(read_block(self._status) or b"")
        except BusError:
            return not self._status.exists()
        return now_ns - said.at_ns > _STALE_NS or abs(said.speed_mm_s) < STANDING_MM_S


def _shows(settings: CameraSettings) -> str:
    if settings.trigger == "wire":
        return "wired"
    return "recorded" if is_recorded(settings) else "asked"
