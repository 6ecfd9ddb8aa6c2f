"""Runs in the guest: our V4L2 driver on the kernel's own test device (vivid), which shows a pattern.

Prints one line for each check, then one JSON object; ends with 1 where a check failed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import traceback

from app.capture.live import LiveCamera
from app.capture.opencv import open_opencv
from app.capture.v4l2 import Controls, discover
from app.clock import NS_PER_MS, NS_PER_S, SystemClock
from app.config import CameraSettings
from app.errors import CameraError

CLOCK = SystemClock()
DEVICE = "/dev/video0"
LONG_NS = 30 * NS_PER_S
# One webcam without anything else, so that it is video0.
VIVID = ("modprobe", "vivid", "n_devs=1", "node_types=0x1", "num_inputs=1", "input_types=0x0")


def settings(**changed):
    keys = {"driver": "opencv", "source": DEVICE, "width_px": 640, "height_px": 360, "channels": 3}
    return CameraSettings.model_validate(keys | {"exposure_ms": 1, "transfer_ms": 5, "silent_ms": 10_000} | changed)


def opened(**changed):
    camera = open_opencv(settings(**changed), CLOCK)
    assert isinstance(camera, LiveCamera)
    camera.open()
    return camera


def refusal_of(deed):
    """What the error of a deed says."""
    try:
        deed()
    except CameraError as error:
        return str(error)
    raise AssertionError("it was taken")


def answer(camera):
    now_ns = CLOCK.now_ns()
    camera.trigger(now_ns)
    frame = camera.grab(now_ns + LONG_NS)
    assert frame.host_ns - frame.uncertainty_ns >= now_ns, (frame.host_ns, frame.uncertainty_ns, now_ns)
    return frame


def is_found():
    (found,) = [each for each in discover() if each.source == DEVICE]
    assert (found.trouble, "vivid" in found.model) == ("", True), found
    return found.model


def lists_controls():
    controls = Controls(DEVICE)
    knobs = {knob.name: knob for knob in controls.knobs()}
    controls.close()
    assert {"brightness", "contrast", "boolean", "integer_32_bits", "integer_64_bits", "menu", "string"} <= set(knobs)
    assert (knobs["brightness"].low, knobs["brightness"].high) == (0, 255)
    assert len(knobs["menu"].choices) >= 3, knobs["menu"]
    return f"{len(knobs)} of them"


def sets_each_kind():
    controls = Controls(DEVICE)
    menu = next(knob for knob in controls.knobs() if knob.name == "menu")
    wanted = {
        "brightness": 17,
        "boolean": False,
        "integer_32_bits": -5,
        "integer_64_bits": 2**40,
        "menu": menu.choices[-1],
        "string": "belt",
        "bitmask": 0x80002000,
    }
    for name, value in wanted.items():
        taken = controls.adjust(name, value)
        assert taken == value, (name, value, taken)
    again = {knob.name: knob.value for knob in controls.knobs()}
    controls.adjust("button", True)
    controls.close()
    assert {name: again[name] for name in wanted} == wanted
    return ", ".join(wanted)


def v4l2_says_no():
    controls = Controls(DEVICE)
    beyond = refusal_of(lambda: controls.adjust("brightness", 256))
    unknown = refusal_of(lambda: controls.adjust("britness", 1))
    other = refusal_of(lambda: controls.adjust("menu", "nothing like it"))
    controls.close()
    assert "from 0 to 255" in beyond, beyond
    assert "brightness" in unknown, unknown
    assert "choose one of" in other, other
    return unknown


def delivers_frames():
    camera = opened(controls={"contrast": 100})
    frames = [answer(camera) for _ in range(3)]
    value = next(knob.value for knob in camera.knobs() if knob.name == "contrast")
    about = camera.about()
    camera.close()
    assert [frame.counter for frame in frames] == [1, 2, 3]
    assert {frame.image.shape for frame in frames} == {(360, 640, 3)}
    stamps_ns = [frame.device_ns for frame in frames]
    assert all(stamps_ns), "no kernel stamps"
    assert stamps_ns == sorted(stamps_ns)
    # A stamp of the kernel is worth more than the times of the reading.
    assert all(frame.uncertainty_ns <= 3 * NS_PER_MS for frame in frames), [frame.uncertainty_ns for frame in frames]
    assert (value, about.source) == (100, DEVICE)
    return f"{about.model}, memory {(frames[0].in_memory_ns - stamps_ns[0]) / NS_PER_MS:.1f} ms after the stamp"


def streams():
    camera = opened()
    camera.stream()
    numbers = [camera.grab(CLOCK.now_ns() + LONG_NS).counter for _ in range(5)]
    camera.close()
    assert numbers == sorted(set(numbers))
    return str(numbers)


def opens_again():
    camera = open_opencv(settings(), CLOCK)
    for _ in range(5):
        camera.open()
        answer(camera)
        camera.close()
    return "five times"


def takes_a_format():
    camera = opened(controls={"fourcc": "YUYV", "fps": 10})
    answer(camera)
    camera.close()
    return "YUYV"


def names_its_sizes():
    text = refusal_of(lambda: opened(width_px=650, height_px=370))
    assert "set one of its sizes: " in text, text
    assert "640 x 360" in text, text
    return text


def is_busy_for_another():
    camera = opened()
    answer(camera)
    trouble = discover()[0].trouble
    code = "from tests.hil import check_v4l2 as c; print(c.refusal_of(lambda: c.opened()))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    camera.close()
    assert trouble.startswith("in use by"), trouble
    assert "in use by" in other.stdout, other.stdout + other.stderr
    return other.stdout.strip()


CHECKS = (
    is_found,
    lists_controls,
    sets_each_kind,
    v4l2_says_no,
    delivers_frames,
    streams,
    opens_again,
    takes_a_format,
    names_its_sizes,
    is_busy_for_another,
)


def main() -> int:
    subprocess.run(VIVID, check=True)
    failed = []
    for check in CHECKS:
        try:
            said = f"ok: {check()}"
        except Exception:  # noqa: BLE001 - the next check is to run whatever became of this one
            said = traceback.format_exc()
            failed.append(check.__name__)
        print(f"{check.__name__} {said}", flush=True)  # noqa: T201 - the host reads it
    print(json.dumps({"checks": len(CHECKS), "failed": failed}), flush=True)  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
