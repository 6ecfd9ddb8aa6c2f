"""Runs the CSI camera on real GStreamer pipelines, with a test pattern for the sensor; prints what came as JSON.

Run by the system's Python, whose OpenCV has GStreamer: gstreamer_child.py CHECKOUT SITE_PACKAGES
"""

import json
import sys

CHECKOUT, SITE_PACKAGES = sys.argv[1:]
# The system's own libraries win; what it lacks comes from the virtual environment.
sys.path += [CHECKOUT, SITE_PACKAGES]

from app.capture import live  # noqa: E402 - after the path is set
from app.capture.argus import ArgusCamera, Front, pattern  # noqa: E402
from app.clock import NS_PER_S, SystemClock  # noqa: E402
from app.config import CameraSettings  # noqa: E402
from app.errors import CameraError, FrameTimeoutError  # noqa: E402

CLOCK = SystemClock()
SECONDS = 20
"""Ends a hang; nothing takes so long."""


def make(front, **changed):
    keys = {"driver": "csi", "source": "0", "width_px": 96, "height_px": 64, "channels": 3, "frame_timeout_ms": 500}
    return ArgusCamera(CameraSettings.model_validate(keys | changed), CLOCK, front)


def shot(camera):
    now_ns = CLOCK.now_ns()
    camera.trigger(now_ns)
    frame = camera.grab(now_ns + SECONDS * NS_PER_S)
    return {
        "shape": frame.image.shape,
        "type": str(frame.image.dtype),
        "counter": frame.counter,
        "is_after": frame.host_ns - frame.uncertainty_ns >= now_ns,
        "left": frame.image[10, 2].tolist(),
        "right": frame.image[10, -3].tolist(),
    }


def shots_of(front, count=1, **changed):
    camera = make(front, **changed)
    camera.open()
    try:
        return [shot(camera) for _ in range(count)]
    finally:
        camera.close()


def opened_again():
    camera = make(pattern())
    taken = []
    for _ in range(3):
        camera.open()
        taken.append(shot(camera))
        camera.close()
    return taken


def error_of(deed):
    try:
        deed()
    except CameraError as error:
        return {"text": str(error), "is_timeout": isinstance(error, FrameTimeoutError)}
    return None


def ended():
    camera = make(pattern(frames=15))
    camera.open()
    camera.stream()
    frames = []
    while True:
        error = error_of(lambda: frames.append(camera.grab(CLOCK.now_ns() + SECONDS * NS_PER_S).counter))
        if error:
            camera.close()
            return {"frames": frames, **error}


def failed(source):
    live.OPEN_S = 1.0
    front = pattern()
    return error_of(lambda: make(Front(lambda _: source, front.memory, front.turn)).open())


CASES = {
    "colour": lambda: shots_of(pattern(), 3),
    "grey": lambda: shots_of(pattern(), channels=1),
    "turned": lambda: shots_of(pattern(), csi={"flip": "horizontal-flip"}),
    "sideways": lambda: shots_of(pattern(), csi={"flip": "clockwise"}),
    "rate": lambda: shots_of(pattern(), csi={"frame_rate_hz": 59.94}),
    "opened_again": opened_again,
    "ended": ended,
    "unknown_element": lambda: failed("nosuchelement"),
    "failing_element": lambda: failed("filesrc location=/nowhere/at/all"),
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: case() for name, case in CASES.items()}))
