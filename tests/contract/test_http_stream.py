"""A network stream of JPEG pictures over HTTP, as cheap cameras send it, from a real server in this process."""

import http.server
import threading

import cv2
import numpy as np
import pytest

from app.capture.opencv import open_opencv
from app.clock import NS_PER_S, SystemClock
from app.errors import CameraError
from tests.unit.capture.recordings import settings

CLOCK = SystemClock()
LONG_NS = 30 * NS_PER_S
WIDTH, HEIGHT = 64, 48
PACE_S = 0.1
"""Slower than the 25 frames per second that FFMPEG takes such a stream to have."""


class Pictures(http.server.BaseHTTPRequestHandler):
    """Sends picture after picture until the test ends it or the other side goes."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        level = 0
        while not self.server.ended.wait(PACE_S):
            level = (level + 8) % 256
            _, jpeg = cv2.imencode(".jpg", np.full((HEIGHT, WIDTH), level, np.uint8))
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {jpeg.size}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + jpeg.tobytes() + b"\r\n")
            except OSError:
                return

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    server.ended = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def camera(server):
    source = f"http://user:geheim@127.0.0.1:{server.server_port}/mjpg?key=geheim"
    camera = open_opencv(settings("opencv", source, width_px=WIDTH, height_px=HEIGHT), CLOCK)
    camera.open()
    yield camera
    camera.close()


def answer(camera):
    now_ns = CLOCK.now_ns()
    camera.trigger(now_ns)
    frame = camera.grab(now_ns + LONG_NS)
    assert frame.host_ns - frame.uncertainty_ns >= now_ns
    return frame


def use_up(camera):
    """Takes the frames that were on their way."""
    while True:
        answer(camera)


def test_stream_without_times_of_its_own_keeps_answering(camera):
    frames = [answer(camera) for _ in range(8)]
    assert [frame.counter for frame in frames] == list(range(1, 9))
    assert {frame.device_ns for frame in frames} == {None}
    assert len({int(frame.image.mean()) for frame in frames}) > 3


def test_stream_that_ends_is_gone_and_found_again(camera, server):
    answer(camera)
    server.ended.set()
    with pytest.raises(CameraError, match="it stopped sending frames"):
        use_up(camera)
    camera.close()
    server.ended.clear()
    camera.open()
    assert answer(camera).counter == 1


def test_address_is_said_without_its_secrets(camera):
    assert "geheim" not in camera.about().source
