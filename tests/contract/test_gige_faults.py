"""A GigE Vision camera as it should not be: dead, hung, restarted, on a bad network, changed from within.

And what only a camera shows that a test paints: wires and colours.
"""

import signal
import threading

import numpy as np
import pytest

from app.capture.gige.camera import GigeCamera
from app.clock import NS_PER_MS, NS_PER_S, SystemClock
from app.errors import CameraError, FrameTimeoutError
from tests.contract.fake_gige import ADDRESS, HEIGHT_REGISTER, PIXEL_FORMAT_REGISTER, FakeGige, PaintedGige
from tests.unit.capture.recordings import settings

pytestmark = pytest.mark.gige
CLOCK = SystemClock()
WIRED = {"trigger": "wire", "gige": {"trigger_line": "Line0"}}
FREE = {"trigger": "free", "gige": {"frame_rate_hz": 100}}


@pytest.fixture
def fake():
    with FakeGige() as fake:
        yield fake


@pytest.fixture
def painted(tmp_path):
    with PaintedGige(tmp_path) as painted:
        yield painted


@pytest.fixture
def opened():
    cameras = []

    def opened(**changed):
        wanted = {"exposure_ms": 10, "frame_timeout_ms": 5000, "silent_ms": 1000, **changed}
        cameras.append(GigeCamera(settings("gige", ADDRESS, **wanted), CLOCK))
        cameras[-1].open()
        return cameras[-1]

    yield opened
    for camera in cameras:
        camera.close()


def grab(camera, seconds=10):
    return camera.grab(CLOCK.now_ns() + seconds * NS_PER_S)


def shoot(camera):
    camera.trigger(CLOCK.now_ns())
    return grab(camera)


def trouble(camera):
    """Uses the camera until it says what is wrong with it."""
    end_ns = CLOCK.now_ns() + 60 * NS_PER_S
    while CLOCK.now_ns() < end_ns:
        try:
            camera.trigger(CLOCK.now_ns())
            camera.grab(CLOCK.now_ns() + 50 * NS_PER_MS)
        except FrameTimeoutError:
            continue
        except CameraError as error:
            return str(error)
    return ""


def reopen(camera):
    """As the station does, until it succeeds."""
    end_ns = CLOCK.now_ns() + 60 * NS_PER_S
    camera.close()
    while True:
        try:
            camera.open()
        except CameraError:
            assert CLOCK.now_ns() < end_ns
        else:
            return


@pytest.mark.parametrize("changed", [{}, FREE])
def test_killed_camera_is_told_and_opens_again_when_it_is_back(fake, opened, changed):
    camera = opened(**changed)
    shoot(camera)

    fake.kill()
    words = trouble(camera)
    with pytest.raises(CameraError):
        grab(camera)
    fake.start()
    reopen(camera)

    assert words.startswith("camera 'top'")
    assert shoot(camera).image.shape == (24, 32)


def test_camera_that_restarts_unseen_is_noticed_though_nobody_triggers(fake, opened):
    camera = opened()
    shoot(camera)
    fake.kill()
    fake.start()

    with pytest.raises(CameraError, match="has let go of the station, as after a restart"):
        grab(camera, seconds=30)
    reopen(camera)

    assert shoot(camera).counter == 1


def test_camera_on_a_wire_is_read_without_a_command_and_missed_when_it_is_gone(painted, opened):
    camera = opened(**WIRED)
    painted.pulse()
    first = grab(camera)
    painted.pulse()
    second = grab(camera)

    painted.kill()
    with pytest.raises(CameraError, match="does not answer any more"):
        grab(camera, seconds=30)
    painted.start()
    reopen(camera)
    painted.pulse()

    assert (first.counter, second.counter, grab(camera).counter) == (1, 2, 1)


@pytest.mark.parametrize("changed", [{}, FREE])
def test_hung_camera_is_told_and_lets_trigger_and_close_return(fake, opened, changed):
    camera = opened(**changed)
    shoot(camera)

    fake.stall(signal.SIGSTOP)
    words = trouble(camera)
    closing = threading.Thread(target=camera.close)
    closing.start()
    closing.join(30)
    is_closed = not closing.is_alive()
    fake.stall(signal.SIGCONT)
    reopen(camera)

    assert words
    assert is_closed
    assert shoot(camera).image.shape == (24, 32)


def test_absent_camera_is_one_sentence_each_time(fake, opened):
    camera = opened()
    fake.kill()
    camera.close()

    for _ in range(3):
        with pytest.raises(CameraError, match=f"no GigE Vision camera answers at {ADDRESS}"):
            camera.open()


def test_torn_frames_are_refused_and_counted_and_the_others_are_whole(opened):
    with FakeGige(arguments=("-r", "30")):
        camera = opened(width_px=128, height_px=96, frame_timeout_ms=50, silent_ms=20_000, **FREE)
        camera.stream()
        frames = []
        while camera.refused < 5 or len(frames) < 20:
            frames.append(grab(camera))
        refused, words, missing = camera.refused, camera.last_refusal, camera.missing

    counters = [frame.counter for frame in frames]
    ramps = [np.diff(frame.image[0].astype(int)) for frame in frames]
    assert "torn" in words
    assert counters == sorted(set(counters))
    assert refused + missing > 0
    assert all(np.isin(ramp, (1, -254)).all() for ramp in ramps), "a picture of the simulator is a ramp"


def test_frame_of_another_size_is_refused_counted_and_told(painted, opened):
    camera = opened()
    shoot(camera)

    painted.set_register(HEIGHT_REGISTER, 20)
    camera.trigger(CLOCK.now_ns())

    with pytest.raises(CameraError, match="32 x 20 px where width_px and height_px say 32 x 24"):
        grab(camera)
    assert camera.refused == 1
    assert "32 x 20 px" in camera.last_refusal


def test_frame_of_another_format_is_refused_counted_and_told(painted, opened):
    camera = opened(gige={"pixel_format": "BayerRG8"})
    shoot(camera)

    painted.set_register(PIXEL_FORMAT_REGISTER, 0x0108_0001)
    camera.trigger(CLOCK.now_ns())

    with pytest.raises(CameraError, match="where BayerRG8"):
        grab(camera)
    assert camera.refused == 1


def test_colours_come_through(painted, opened):
    painted.paint(np.tile(np.array([[200, 120], [120, 40]], np.uint8), (12, 16)))

    image = shoot(opened(channels=3, gige={"pixel_format": "BayerRG8"})).image

    assert (image[2:-2, 2:-2] == (40, 120, 200)).all()
