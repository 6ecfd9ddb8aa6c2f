"""A camera across two processes' ends: the feeder of the capture process, and what the station sees of it."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from app.bus.bell import Bell, TriggerPipe
from app.bus.block import BlockWriter
from app.bus.place import Place
from app.bus.slots import SlotReader, SlotWriter
from app.capture.feeder import Feeder
from app.capture.slotted import SlottedCamera
from app.clock import NS_PER_MS, NS_PER_S, VirtualClock
from app.config import CameraSettings
from app.errors import CameraError, FrameTimeoutError
from app.types import Frame

SETTINGS = CameraSettings(name="top", width_px=32, height_px=24, channels=1, dark_level=0)
SLOTS = 4


class Eye:
    """A camera that answers each trigger with the number of it, at once."""

    name = "top"

    def __init__(self) -> None:
        self.triggers: list[int] = []
        self.ready: list[Frame] = []
        self.is_gone = False

    def open(self) -> None:
        if self.is_gone:
            raise CameraError("camera 'top' is gone", "check its cable")

    def close(self) -> None:
        self.ready.clear()

    def trigger(self, at_ns: int) -> None:
        self.triggers.append(at_ns)
        image = np.full((24, 32), len(self.triggers), np.uint8)
        self.ready.append(Frame(image, "top", at_ns, counter=len(self.triggers), name="a.png"))

    def grab(self, deadline_ns: int) -> Frame:
        if self.is_gone:
            raise CameraError("camera 'top' is gone", "check its cable")
        if not self.ready:
            raise FrameTimeoutError("no frame", "wait")
        return self.ready.pop(0)


class Pair:
    """Both ends over one bus."""

    def __init__(self, folder) -> None:
        self.place = Place(folder / "bus")
        self.clock = VirtualClock(start_ns=10 * NS_PER_S)
        self.eye = Eye()
        self.start()
        self.bell = Bell(self.place.bell("lane1"))
        self.camera = SlottedCamera(1, "top", self.place, self.bell, self.clock)
        self.camera.open()
        self.feeder.step()
        with pytest.raises(FrameTimeoutError):  # it has found the capture process
            self.grab()

    def start(self) -> None:
        """The capture process starts."""
        self.slots = SlotWriter(self.place.frames(1, "top"), SLOTS, 24, 32, 1, Bell(self.place.bell("lane1")))
        self.block = BlockWriter(self.place.camera(1, "top"), 2048)
        triggers = TriggerPipe(self.place.triggers(1, "top"))
        self.feeder = Feeder(self.eye, SETTINGS, self.slots, triggers, self.report, self.clock)

    def die(self) -> None:
        self.slots.close()
        self.block.close()

    def report(self, state, now_ns) -> None:
        self.block.write(json.dumps(asdict(state) | {"at_ns": now_ns}).encode())

    def shoot(self) -> None:
        self.camera.trigger(self.clock.now_ns())
        self.feeder.step()

    def wait(self, ms: float) -> None:
        self.clock.advance_to(self.clock.now_ns() + round(ms * NS_PER_MS))

    def grab(self) -> Frame:
        return self.camera.grab(self.clock.now_ns())


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path)


def test_triggered_frame_arrives_with_all_that_is_known_of_it(pair) -> None:
    at_ns = pair.clock.now_ns()
    pair.wait(3)
    pair.camera.trigger(at_ns)
    pair.feeder.step()
    frame = pair.grab()
    assert (frame.camera, frame.host_ns, frame.counter, frame.name) == ("top", at_ns, 1, "a.png")
    assert frame.in_memory_ns == pair.clock.now_ns()
    assert (frame.image == 1).all()


def test_no_frame_is_said_so(pair) -> None:
    pair.shoot()
    pair.grab().release()
    with pytest.raises(FrameTimeoutError):
        pair.grab()


def test_slot_is_used_again_once_released_and_a_full_house_is_counted(pair) -> None:
    held = []
    for _ in range(SLOTS):
        pair.shoot()
        held.append(pair.grab())
    pair.shoot()
    assert pair.slots.dropped == 1
    held[0].release()
    pair.shoot()
    assert (pair.grab().image == SLOTS + 2).all()
    assert (held[1].image == 2).all()


def test_recorder_gets_the_slot_and_no_more_than_its_share(pair) -> None:
    recorder = None
    taken = []
    for _ in range(3):
        pair.shoot()
        frame = pair.grab()
        recorder = recorder or SlotReader(pair.place.frames(1, "top"), "recorder")
        taken.append(pair.camera.hand_over(frame, 2))
        frame.release()
    assert taken == [True, True, False]
    assert recorder.held == 2


def test_trigger_from_before_the_start_takes_no_picture(pair) -> None:
    pair.camera.trigger(pair.clock.now_ns())
    pair.wait(SETTINGS.frame_timeout_ms + 1)
    pair.feeder.step()
    assert pair.eye.triggers == []


def test_station_starts_before_its_capture_process_and_finds_it_later(tmp_path) -> None:
    place, clock = Place(tmp_path / "bus"), VirtualClock(start_ns=NS_PER_S)
    camera = SlottedCamera(1, "top", place, Bell(place.bell("lane1")), clock)
    camera.open()
    with pytest.raises(CameraError, match="has not started"):
        camera.grab(clock.now_ns())
    pair = Pair(tmp_path)
    clock.advance_to(pair.clock.now_ns())
    pair.feeder.step()
    with pytest.raises(FrameTimeoutError):
        camera.grab(clock.now_ns())


def test_silent_capture_process_is_named_and_missed_no_longer_when_it_speaks(pair) -> None:
    pair.shoot()
    pair.grab().release()
    pair.wait(600)
    with pytest.raises(CameraError, match=r"said nothing for 0\.6 s"):
        pair.grab()
    pair.feeder.step()
    pair.wait(60)
    with pytest.raises(FrameTimeoutError):
        pair.grab()


def test_replaced_capture_process_is_told_once_so_that_nobody_waits_for_its_frames(pair) -> None:
    pair.shoot()
    pair.grab().release()
    pair.die()
    pair.start()
    pair.wait(200)
    pair.feeder.step()
    with pytest.raises(CameraError, match="replaced"):
        pair.grab()
    pair.shoot()
    assert (pair.grab().image == 2).all()


def test_capture_process_that_just_starts_is_not_called_silent(pair) -> None:
    pair.die()
    (pair.place.camera(1, "top")).unlink()
    pair.start()
    camera = SlottedCamera(1, "top", pair.place, pair.bell, pair.clock)
    camera.open()
    with pytest.raises(CameraError, match="its capture process is starting; wait for it"):
        camera.grab(pair.clock.now_ns())


def test_trouble_of_the_driver_is_passed_on_in_its_words(pair) -> None:
    pair.eye.is_gone = True
    pair.feeder.step()
    pair.wait(60)
    with pytest.raises(CameraError, match=r"^camera 'top' is gone; check its cable; it is opened again by itself$"):
        pair.grab()
    assert pair.camera.said.is_away


def test_frame_from_before_the_trouble_is_not_lost_with_the_camera(pair) -> None:
    pair.shoot()
    pair.eye.is_gone = True
    pair.feeder.step()
    pair.wait(60)
    assert (pair.grab().image == 1).all()
    with pytest.raises(CameraError, match="is gone"):
        pair.grab()


def test_first_frame_after_the_trouble_is_fetched_at_once(pair) -> None:
    pair.eye.is_gone = True
    pair.feeder.step()
    pair.wait(110)
    with pytest.raises(CameraError, match="is gone"):
        pair.grab()
    pair.eye.is_gone = False
    pair.feeder.step()  # opens it
    pair.feeder.step()  # and has it prove itself
    pair.shoot()
    assert (pair.grab().image == 2).all()
    with pytest.raises(FrameTimeoutError):
        pair.grab()


def test_camera_that_was_opened_again_between_two_looks_is_told_once(pair) -> None:
    pair.eye.is_gone = True
    pair.feeder.step()
    pair.eye.is_gone = False
    pair.wait(110)
    pair.feeder.step()
    pair.feeder.step()
    with pytest.raises(CameraError, match="was opened again"):
        pair.grab()
    with pytest.raises(FrameTimeoutError):
        pair.grab()


def test_trouble_of_a_camera_is_believed_while_its_process_waits_in_a_call(pair) -> None:
    pair.eye.is_gone = True
    pair.feeder.step()
    pair.wait(3000)
    with pytest.raises(CameraError, match="is gone"):
        pair.grab()
    pair.wait(9000)
    with pytest.raises(CameraError, match="has said nothing for 12"):
        pair.grab()


def test_refused_frame_is_named_and_the_camera_is_not_taken_for_gone(pair) -> None:
    pair.shoot()
    pair.grab().release()
    pair.eye.ready.append(Frame(np.full((12, 32), 9, np.uint8), "top", pair.clock.now_ns(), counter=9))
    pair.feeder.step()
    pair.wait(60)
    with pytest.raises(FrameTimeoutError):
        pair.grab()
    assert "refused as of another format" in pair.camera.said.text
    assert (pair.camera.said.refused, pair.camera.said.is_away) == (1, False)


def test_closed_camera_refuses(pair) -> None:
    pair.camera.close()
    with pytest.raises(CameraError):
        pair.camera.trigger(0)
    with pytest.raises(CameraError):
        pair.grab()
