"""Cameras as somebody sees who looks at them: the newest picture, and how the camera is.

Nothing is read, copied or measured while nobody looks. Two who look at one camera share each picture and its figures.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.bus.peek import Peek, Wish, looked_beside, wish_beside
from app.bus.place import Place
from app.clock import NS_PER_MS, NS_PER_S, Clock
from app.config import CameraSettings
from app.errors import BusError
from app.picture_figures import Figures, Remark, figures_of, focus_of, remarks_on
from app.setup import Setup
from app.types import Frame
from app.web.lane import Lane
from app.web.watch import Block

LEAST_NS = 150 * NS_PER_MS
"""However many look: the camera's memory is looked at no oftener."""

IDLE_S = 10.0
"""When nobody has looked for so long, everything is let go."""

DEAD_NS = NS_PER_S
HUNG_NS = 10 * NS_PER_S
"""A capture process that has said nothing for so long is gone; while it opens its camera it may take longer."""

_MOST_KEPT = 3
_MOST_BOXES = 8

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels of the picture."""


class Sight:
    """One picture with its figures. May be used by several threads.

    Args:
        frame: The picture, in memory of its own.
        is_asked: It was taken for those who look, and not of a part.
        dark_level: The camera's setting of that name.

    Attributes:
        frame: The picture.
        is_asked: It was taken for those who look.
        figures: The picture in figures.
        remarks: What a person should mind in it.
    """

    def __init__(self, frame: Frame, dark_level: float, *, is_asked: bool) -> None:
        self.frame = frame
        self.is_asked = is_asked
        self.figures: Figures = figures_of(frame.image)
        self.remarks: tuple[Remark, ...] = remarks_on(self.figures, dark_level)
        self._scores: OrderedDict[Box, float] = OrderedDict()

    @property
    def key(self) -> int:
        """Names the picture."""
        return self.frame.generation

    def within(self, box: Box | None) -> Box:
        """The part of a box that lies in the picture; the whole of it where none does or none is given."""
        whole = (0, 0, self.figures.width_px, self.figures.height_px)
        if box is None:
            return whole
        left, top = min(box[0], whole[2]), min(box[1], whole[3])
        width, height = min(box[2], whole[2] - left), min(box[3], whole[3] - top)
        return (left, top, width, height) if width > 0 and height > 0 else whole

    def focus(self, box: Box) -> float:
        """The focus score of a box that lies in the picture."""
        left, top, width, height = box
        if (width, height) == (self.figures.width_px, self.figures.height_px):
            return self.figures.focus
        if box not in self._scores:
            self._scores[box] = focus_of(self.frame.image[top : top + height, left : left + width])
            while len(self._scores) > _MOST_BOXES:
                self._scores.popitem(last=False)
        return self._scores[box]


@dataclass(frozen=True, slots=True)
class Said:
    """What a capture process says of its camera.

    Attributes:
        text: What is wrong with it; empty: nothing.
        is_away: It gives no frames now.
        shows: What it can show to those who look, `app.capture.looking.Looks.shows`.
        age_ns: How long ago it said so.
        code: `text` as a code of `app.status.Trouble`.
    """

    text: str
    is_away: bool
    shows: str
    age_ns: int
    code: str = ""


class CameraWatch:
    """One camera, for those who look at it.

    Args:
        place: Where the processes meet.
        lane: The lane.
        name: The camera's name.
        settings: Its settings, where they are known.
        region: What the lane's recipe judges of its pictures.
    """

    def __init__(
        self, place: Place, lane: int, name: str, settings: CameraSettings | None = None, region: Box | None = None
    ) -> None:
        self.lane = lane
        self.name = name
        self.settings = settings
        self.region = region
        frames = place.frames(lane, name)
        self._wish_path = wish_beside(frames)
        self._wish: Wish | None = None
        self._peeks = (Peek(frames), Peek(looked_beside(frames)))
        self._known = [0, 0]
        self._newest_ns = 0
        self._block = Block(place.camera(lane, name))
        self._kept: OrderedDict[int, Sight] = OrderedDict()
        self._order = threading.Lock()
        self.looked_ns: int | None = None

    def look(self, now_ns: int) -> Sight | None:
        """The newest picture; `None` where there is none. Says to the capture process that somebody looks."""
        with self._order:
            if self.looked_ns is None or now_ns - self.looked_ns >= LEAST_NS:
                self.looked_ns = now_ns
                self._renew(now_ns)
                self._read()
            return next(reversed(self._kept.values()), None)

    def sight(self, key: int) -> Sight | None:
        """One of the last pictures."""
        with self._order:
            return self._kept.get(key)

    def said(self, now_ns: int) -> Said | None:
        """What the capture process says of the camera; `None` where it says nothing."""
        with self._order:
            read = self._block.read(now_ns)
        try:
            said = json.loads(read or b"")
            return Said(
                text=str(said["text"]),
                is_away=bool(said["is_away"]),
                shows=str(said.get("shows", "")),
                age_ns=max(0, now_ns - int(said["at_ns"])),
                code=str(said.get("code", "")),
            )
        except (ValueError, TypeError, KeyError):
            return None

    def close(self) -> None:
        """Lets everything go. Idempotent; the next look opens it again."""
        with self._order:
            for peek in self._peeks:
                peek.close()
            if self._wish is not None:
                self._wish.close()
            self._block.close()
            self._wish, self.looked_ns, self._newest_ns = None, None, 0
            self._known = [0, 0]
            self._kept.clear()

    def _renew(self, now_ns: int) -> None:
        try:
            self._wish = self._wish or Wish(self._wish_path)
            self._wish.renew(now_ns)
        except BusError:
            return  # somebody else's pages ask for this camera, or there is no memory: parts are seen none the less

    def _read(self) -> None:
        dark_level = (self.settings or CameraSettings()).dark_level
        found: list[tuple[Frame, bool]] = []
        for index, peek in enumerate(self._peeks):
            frame = peek.newest(self._known[index])
            if frame is not None:
                self._known[index] = frame.generation
                found.append((frame, index == 1))
        for frame, is_asked in sorted(found, key=lambda each: each[0].in_memory_ns)[-1:]:
            if frame.in_memory_ns < self._newest_ns:
                continue
            self._newest_ns = frame.in_memory_ns
            self._kept[frame.generation] = Sight(frame, dark_level, is_asked=is_asked)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Spot:
    """A camera that can be chosen.

    Attributes:
        lane: Its lane.
        line: What people call the line.
        name: Its name.
    """

    lane: int
    line: str
    name: str


class CameraWatches:
    """All cameras of a box, and their end when nobody looks any more.

    Args:
        place: Where the processes meet.
        lanes: The lanes with the names of their cameras.
        setups: Their settings and recipes, where they are known.
        clock: The time.

    Attributes:
        spots: The cameras in the order in which they are offered.
    """

    def __init__(self, place: Place, lanes: Sequence[Lane], setups: Sequence[Setup], clock: Clock) -> None:
        self.spots = tuple(Spot(lane.number, lane.name, name) for lane in lanes for name in lane.cameras)
        self._clock = clock
        known = {setup.line.line.lane: setup for setup in setups}
        self._watches: Mapping[tuple[int, str], CameraWatch] = {
            (spot.lane, spot.name): _watch(place, spot, known.get(spot.lane)) for spot in self.spots
        }
        self._order = threading.Lock()
        self._timer: threading.Timer | None = None

    def find(self, lane: int, camera: str) -> CameraWatch | None:
        """One of them; `None`: there is none of that name."""
        return self._watches.get((lane, camera))

    def look(self, watch: CameraWatch) -> Sight | None:
        """The newest picture of a camera; sees to it that it is let go when this was the last look."""
        sight = watch.look(self._clock.now_ns())
        with self._order:
            if self._timer is None:
                self._arm()
        return sight

    def tidy(self) -> bool:
        """Lets go of what nobody looks at any more; says whether anything is still looked at."""
        now_ns = self._clock.now_ns()
        is_looked_at = False
        for watch in self._watches.values():
            looked_ns = watch.looked_ns
            if looked_ns is None:
                continue
            if now_ns - looked_ns >= IDLE_S * NS_PER_S:
                watch.close()
            else:
                is_looked_at = True
        return is_looked_at

    def _arm(self) -> None:
        self._timer = threading.Timer(IDLE_S, self._ring)
        self._timer.daemon = True
        self._timer.name = "looks"
        self._timer.start()

    def _ring(self) -> None:
        with self._order:
            self._timer = None
            if self.tidy():
                self._arm()


def _watch(place: Place, spot: Spot, setup: Setup | None) -> CameraWatch:
    if setup is None:
        return CameraWatch(place, spot.lane, spot.name)
    settings = next((each for each in setup.line.cameras if each.name == spot.name), None)
    roi = setup.recipe.roi
    region = None if roi is None else (roi.x_px, roi.y_px, roi.width_px, roi.height_px)
    return CameraWatch(place, spot.lane, spot.name, settings, region)
