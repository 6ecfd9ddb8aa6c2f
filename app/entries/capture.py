"""The process of one camera: its driver, which may hang."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict

from app.bus.beat import Beat, beat_path
from app.bus.bell import Bell, TriggerPipe
from app.bus.block import BlockWriter
from app.bus.place import Place
from app.bus.slots import SlotWriter
from app.capture.camera import Camera
from app.capture.drivers import make_camera
from app.capture.feeder import MOST_TEXT, Feeder
from app.capture.looking import Looks
from app.capture.slotted import SLOTS
from app.capture.watched import spotter_for
from app.clock import NS_PER_S, Clock, SystemClock
from app.config import CameraSettings
from app.entries.post import Post, StopFlag, closing
from app.realtime import enter
from app.setup import Setup
from app.status import CameraStatus, Trouble

CAMERA_BYTES = 8192
ANSWERS_WITHIN_S = 0.5
"""For a twin's camera that starts at the same time: it is asked again, and this process lives in between."""

NEWS_NS = 3 * NS_PER_S
"""Trouble that is over sooner stands in the ledger, and nobody is told of it here."""


def run(setups: Sequence[Setup], post: Post) -> None:
    """Runs the camera that the post names; one that is absent or fails is opened again and again.

    Raises:
        ConfigError: No such driver here.
        MissingDriverError: The driver's library is not installed.
        BusError: The bus cannot be used.
    """
    line = setups[0].line
    clock, lane = SystemClock(), line.line.lane
    camera = next(each for each in line.cameras if each.name == post.camera)
    stop = StopFlag()
    with ExitStack() as opened:
        beat = closing(opened, Beat(beat_path(post.place.root, post.row.name), post.notifier))
        shape = (camera.height_px, camera.width_px, camera.channels)
        bell = closing(opened, Bell(post.place.bell(f"lane{lane}")))
        slots = closing(opened, SlotWriter(post.place.frames(lane, camera.name), SLOTS, *shape, bell))
        triggers = closing(opened, TriggerPipe(post.place.triggers(lane, camera.name)))
        block = closing(opened, BlockWriter(post.place.camera(lane, camera.name), CAMERA_BYTES))

        teller = _Teller()
        spotter = spotter_for(line, camera)
        frames, status = post.place.frames(lane, camera.name), post.place.status(lane)
        looks = Looks(camera, frames, status, is_streaming=spotter is not None)

        def report(state: CameraStatus, now_ns: int) -> None:
            block.write(json.dumps(asdict(state) | {"at_ns": now_ns, "shows": looks.shows}).encode())
            beat.beat()
            teller.tell(state, now_ns)

        eye = camera_for(camera, lane, post.place, clock)
        thread = post.row.threads["main"]
        enter(thread.policy, thread.priority, is_memory_locked=post.row.is_memory_locked)
        try:
            feeder = Feeder(eye, camera, slots, triggers, report, clock, spotter)
            feeder.let_look(looks)
            feeder.run(stop.is_set)
        except Exception as error:
            text = f"camera {camera.name!r}: {error}; its process is started again by itself"
            report(
                CameraStatus(camera.name, text[:MOST_TEXT], is_away=True, code=Trouble.CRASHED.value), clock.now_ns()
            )
            raise


class _Teller:
    """Tells whoever started this process of trouble with the camera, and of its end."""

    def __init__(self) -> None:
        self._since_ns: int | None = None
        self._is_told = False

    def tell(self, state: CameraStatus, now_ns: int) -> None:
        if not state.text:
            if self._is_told:
                self._say(f"camera {state.name!r} works again")
            self._since_ns, self._is_told = None, False
            return
        self._since_ns = self._since_ns or now_ns
        if not self._is_told and now_ns - self._since_ns >= NEWS_NS:
            self._is_told = True
            self._say(state.text)

    @staticmethod
    def _say(words: str) -> None:
        sys.stderr.write(f"{words}\n")
        sys.stderr.flush()


def camera_for(camera: CameraSettings, lane: int, place: Place, clock: Clock) -> Camera:
    """The camera of a capture process, not open.

    Raises:
        ConfigError: No such driver here.
        MissingDriverError: The driver's library is not installed.
    """
    if camera.driver != "twin":
        return make_camera(camera, clock)
    from app.twin.eye import LinkCamera  # noqa: PLC0415 - half a second that no other camera needs

    return LinkCamera(camera, clock, place, lane, answers_within_s=ANSWERS_WITHIN_S)
