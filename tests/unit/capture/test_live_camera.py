"""A camera that runs freely: which frame answers a trigger, and what happens when the driver hangs."""

import pytest

from app.capture.opencv import LiveCamera, open_opencv
from app.capture.video import VideoCamera
from app.clock import NS_PER_MS, SystemClock, VirtualClock
from app.errors import CameraError, FrameTimeoutError
from tests.unit.capture.recordings import settings
from tests.unit.capture.scripted_device import GONE, ScriptedDevice

SOON_NS = 10_000_000_000


@pytest.fixture
def device():
    return ScriptedDevice()


@pytest.fixture
def clock():
    return VirtualClock(100)


@pytest.fixture
def camera(device, clock):
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: device)
    camera.open()
    yield camera
    device.send(GONE)
    camera.close()


def test_frame_that_was_being_read_at_the_trigger_is_too_old(camera, device, clock):
    device.wait_until_read()
    clock.advance_to(150)
    camera.trigger(150)
    device.send(1)
    device.wait_until_read()
    device.send(2)
    assert camera.grab(SOON_NS).image[0, 0] == 2


def test_frames_before_a_trigger_are_thrown_away(camera, device, clock):
    for value in (1, 2, 3):
        device.wait_until_read()
        device.send(value)
    device.wait_until_read()
    camera.trigger(clock.now_ns())
    device.send(4)
    assert camera.grab(SOON_NS).image[0, 0] == 4


def test_second_trigger_takes_the_place_of_an_unanswered_one(camera, device, clock):
    device.wait_until_read()
    camera.trigger(100)
    clock.advance_to(200)
    camera.trigger(200)
    device.send(1)
    device.wait_until_read()
    device.send(2)
    frame = camera.grab(SOON_NS)
    assert (frame.image[0, 0], frame.counter) == (2, 2)


def test_hanging_driver_does_not_hold_the_grab_past_its_deadline(device):
    clock = SystemClock()
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: device)
    camera.open()
    device.wait_until_read()
    camera.trigger(clock.now_ns())
    with pytest.raises(FrameTimeoutError, match="sent no frame in time"):
        camera.grab(clock.now_ns() + 5 * NS_PER_MS)
    device.send(GONE)
    camera.close()


def test_hanging_driver_does_not_hold_the_close(device, clock):
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: device)
    camera.open()
    device.wait_until_read()
    camera.close()
    assert device.releases == 0
    device.send(GONE)


def test_device_is_let_go_when_the_camera_is_closed(device, clock):
    camera = LiveCamera(settings("opencv", "0"), clock, lambda _: device)
    camera.open()
    device.wait_until_read()
    device.send(GONE)
    camera.close()
    assert device.releases == 1


def test_device_that_goes_away_is_an_error_not_a_timeout(camera, device, clock):
    camera.trigger(clock.now_ns())
    device.send(GONE)
    with pytest.raises(CameraError, match="it stopped sending frames; check its cable") as caught:
        camera.grab(SOON_NS)
    assert not isinstance(caught.value, FrameTimeoutError)
    with pytest.raises(CameraError, match="it stopped sending frames"):
        camera.trigger(clock.now_ns())


def test_device_that_does_not_open_is_an_error(clock):
    absent = ScriptedDevice(is_there=False)
    camera = LiveCamera(settings("opencv", "/dev/video7"), clock, lambda _: absent)
    with pytest.raises(CameraError, match="/dev/video7 does not open"):
        camera.open()
    assert absent.releases == 1


@pytest.mark.parametrize("source", ["0", "12", "/dev/video3", "rtsp://camera.local/stream"])
def test_devices_and_addresses_run_freely(source, clock):
    assert isinstance(open_opencv(settings("opencv", source), clock), LiveCamera)


@pytest.mark.parametrize("source", ["belt.avi", "/data/0.avi", "/dev/videos"])
def test_anything_else_is_a_video_file(source, clock):
    assert isinstance(open_opencv(settings("opencv", source), clock), VideoCamera)
