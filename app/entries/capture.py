"""The process of one camera: its driver, which may hang."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict

from app.bus.beat import Beat, beat_path
from app.bus.bell import Bell, TriggerPipe
from app.bus.block import BlockWriter
from app.bus.place import Place
from app.bus.slots import SlotWriter
from app.capture.camera import Camera
from app.capture.drivers import open_camera
from app.capture.feeder import Feeder
from app.capture.slotted import SLOTS
from app.clock import Clock, SystemClock
from app.config import CameraSettings
from app.entries.post import Post, StopFlag, closing
from app.realtime import enter
from app.setup import Setup
from app.status import CameraStatus

CAMERA_BYTES = 2048


def run(setups: Sequence[Setup], post: Post) -> None:
    """Runs the camera that the post names.

    Raises:
        CameraError: The camera cannot be had, or is gone.
        BusError: The bus cannot be used.
    """
    line = setups[0].line
    clock, lane = SystemClock(), line.line.lane
    camera = next(each for each in line.cameras if each.name == post.camera)
    stop = StopFlag()
    with ExitStack() as opened:
        beat = closing(opened, Beat(beat_path(post.place.root, post.row.name)))
        shape = (camera.height_px, camera.width_px, camera.channels)
        bell = closing(opened, Bell(post.place.bell(f"lane{lane}")))
        slots = closing(opened, SlotWriter(post.place.frames(lane, camera.name), SLOTS, *shape, bell))
        triggers = closing(opened, TriggerPipe(post.place.triggers(lane, camera.name)))
        block = closing(opened, BlockWriter(post.place.camera(lane, camera.name), CAMERA_BYTES))

        def report(state: CameraStatus, now_ns: int) -> None:
            block.write(json.dumps(asdict(state) | {"at_ns": now_ns}).encode())
            beat.beat()

        eye = camera_for(camera, lane, post.place, clock)
        opened.callback(eye.close)
        thread = post.row.threads["main"]
        enter(thread.policy, thread.priority, is_memory_locked=post.row.is_memory_locked)
        try:
            Feeder(eye, camera, slots, triggers, report, clock).run(stop.is_set)
        except Exception as error:
            report(CameraStatus(camera.name, str(error)), clock.now_ns())
            raise


def camera_for(camera: CameraSettings, lane: int, place: Place, clock: Clock) -> Camera:
    """The open camera of a capture process.

    Raises:
        ConfigError: No such driver here.
        MissingDriverError: The driver's library is not installed.
        CameraError: It does not open.
    """
    if camera.driver != "twin":
        return open_camera(camera, clock)
    from app.twin.eye import LinkCamera  # noqa: PLC0415 - half a second that no other camera needs

    eye = LinkCamera(camera, clock, place, lane)
    eye.open()
    return eye
