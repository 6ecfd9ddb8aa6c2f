"""A network stream from a real RTSP server in a process of its own: frames, and what comes when it stalls or dies."""

import os
import signal
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

from app.capture.opencv import open_opencv
from app.clock import NS_PER_MS, NS_PER_S, SystemClock
from app.errors import CameraError, FrameTimeoutError
from tests.groups import SYSTEM_PYTHON
from tests.unit.capture.recordings import settings

pytestmark = pytest.mark.rtsp
CLOCK = SystemClock()
LONG_NS = 30 * NS_PER_S
"""Ends a hang; nothing takes so long."""

WIDTH, HEIGHT = 320, 240


class Server:
    """The server's process, which a test stops, continues, kills and starts again on the same port."""

    def __init__(self):
        self.port = "0"
        self.start()

    def start(self):
        command = [SYSTEM_PYTHON, str(Path(__file__).with_name("rtsp_server.py")), self.port, str(WIDTH), str(HEIGHT)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = self._process.stdout.readline().strip()
        assert self.port

    def signal(self, number):
        os.kill(self._process.pid, number)

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.kill()


@pytest.fixture
def camera_of(server):
    """Opens a camera on the server, and closes it."""
    cameras = []

    def make(**changed):
        source = f"rtsp://user:geheim@127.0.0.1:{server.port}/belt"
        keys = {"width_px": WIDTH, "height_px": HEIGHT, **changed}
        cameras.append(open_opencv(settings("opencv", source, **keys), CLOCK))
        cameras[-1].open()
        return cameras[-1]

    yield make
    server.signal(signal.SIGCONT)
    for camera in cameras:
        camera.close()


def answer(camera, longest_ns=LONG_NS):
    now_ns = CLOCK.now_ns()
    camera.trigger(now_ns)
    return camera.grab(now_ns + longest_ns)


def use_up(camera, longest_ns):
    """Takes the frames that were on their way, until none comes for so long."""
    while True:
        answer(camera, longest_ns)


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "camera top"]


def test_frames_answer_their_triggers_and_the_picture_moves(camera_of):
    camera = camera_of()
    before_ns = CLOCK.now_ns()
    frames = [answer(camera) for _ in range(3)]
    assert [frame.counter for frame in frames] == [1, 2, 3]
    assert {frame.image.shape for frame in frames} == {(HEIGHT, WIDTH)}
    assert all(before_ns <= frame.host_ns - frame.uncertainty_ns <= frame.in_memory_ns for frame in frames)
    assert frames[0].device_ns < frames[1].device_ns < frames[2].device_ns
    assert not np.array_equal(frames[0].image, frames[2].image)


def test_stream_hands_out_frame_after_frame(camera_of):
    camera = camera_of()
    camera.stream()
    numbers = [camera.grab(CLOCK.now_ns() + LONG_NS).counter for _ in range(10)]
    assert sorted(set(numbers)) == numbers


def test_stalled_server_does_not_hold_the_grab_or_the_close(camera_of, server):
    camera = camera_of(silent_ms=60_000)
    answer(camera)
    server.signal(signal.SIGSTOP)
    with pytest.raises(FrameTimeoutError, match="sent no frame in time"):
        use_up(camera, 500 * NS_PER_MS)
    hanging = readers()
    camera.close()
    assert [thread.is_alive() for thread in hanging] == [True]

    server.signal(signal.SIGCONT)
    camera.open()
    assert answer(camera).counter == 1
    hanging[0].join(timeout=30)
    assert not hanging[0].is_alive()


def test_server_that_stalls_for_long_is_gone(camera_of, server):
    camera = camera_of(silent_ms=1500)
    answer(camera)
    server.signal(signal.SIGSTOP)
    with pytest.raises(CameraError, match="it stopped sending frames"):
        use_up(camera, LONG_NS)


def test_server_that_was_killed_and_started_again_is_found_again(camera_of, server, capfd):
    camera = camera_of()
    answer(camera)
    server.kill()
    with pytest.raises(CameraError, match="it stopped sending frames"):
        use_up(camera, LONG_NS)
    camera.close()
    try:
        with pytest.raises(CameraError, match=r"rtsp://user:\*\*\*@127.0.0.1:\d+/belt does not open"):
            camera.open()
    finally:
        server.start()
    camera.open()
    assert answer(camera).counter == 1
    assert "geheim" not in "".join(capfd.readouterr())


def test_stream_of_another_size_is_refused_and_named(camera_of):
    camera = camera_of(width_px=640, height_px=480)
    with pytest.raises(FrameTimeoutError, match="320 x 240 px where width_px and height_px say 640 x 480"):
        answer(camera)
    assert camera.refused > 0
    assert camera.about().source.startswith("rtsp://user:***@")
