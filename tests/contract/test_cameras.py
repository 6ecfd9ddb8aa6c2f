"""What every camera does, whatever it is: the contract of the seam `Camera`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from app.bus.place import Place
from app.capture.drivers import open_camera
from app.capture.folder import FolderCamera
from app.capture.live import LiveCamera
from app.capture.video import VideoCamera
from app.clock import NS_PER_MS, NS_PER_S, SystemClock, VirtualClock
from app.config import Line
from app.errors import CameraError, ConfigError, FrameTimeoutError
from app.twin.eye import Eye, LinkCamera
from app.twin.machine import Machine
from app.twin.parts import Piece
from app.twin.pins import TwinFactory
from app.twin.scenario import Scenario
from tests.contract import gige_bench
from tests.unit.capture.recordings import HEIGHT, LEVELS, WIDTH, make_folder, make_video, settings
from tests.unit.capture.scripted_device import GONE, ScriptedDevice


@dataclass
class Bench:
    """A camera that will show the levels of LEVELS, and how to make its world go on."""

    camera: Any
    clock: Any
    device: ScriptedDevice | None = None
    shown: int = 0
    eye: Any = None

    def expose(self):
        """Triggers, and lets a live device deliver the frame that follows."""
        if self.device is not None:
            self.device.wait_until_read()
            self.clock.advance_to(self.clock.now_ns() + 1)
        if self.eye is not None:
            self.eye.before()
        self.camera.trigger(self.clock.now_ns())
        if self.eye is not None:
            self.eye.after()
        if self.device is not None:
            # The frame whose reading began before the trigger does not answer it; nor would one that arrived sooner
            # after it than exposure and transfer take.
            self.clock.advance_to(self.clock.now_ns() + 10 * NS_PER_MS)
            self.device.send(255)
            self.device.wait_until_read()
            self.clock.advance_to(self.clock.now_ns() + 2)
            self.device.send(LEVELS[self.shown % len(LEVELS)])
        self.shown += 1

    def soon(self):
        """A deadline that a frame on its way meets."""
        return self.clock.now_ns() + 10 * NS_PER_S


def folder_bench(tmp_path, size, **changed):
    clock = VirtualClock(1000)
    return Bench(FolderCamera(settings("folder", make_folder(tmp_path / "pictures", size), **changed), clock), clock)


def video_bench(tmp_path, size, **changed):
    clock = VirtualClock(1000)
    return Bench(VideoCamera(settings("opencv", make_video(tmp_path / "a.avi", size), **changed), clock), clock)


def live_bench(tmp_path, size, **changed):
    clock = VirtualClock(1000)
    bench = Bench(None, clock, None)

    def open_device(_):
        bench.device = ScriptedDevice(shape=(*size, 3))
        bench.shown = 0
        return bench.device

    bench.camera = LiveCamera(settings("opencv", "/dev/video0", **changed), clock, open_device)
    return bench


class EyeDevice:
    """A twin's camera in its own process, here only pretending: parts of all levels come under it one by one."""

    def __init__(self, place, clock, size, channels):
        line = make_line(size, channels)
        self._machine = Machine(line, TwinFactory(clock), clock, Levels(size), Scenario(pitch_mm=200.0), recent=5)
        self._eye = Eye(line.cameras[0], self._machine, clock, place, 1, stopwatch=clock)
        self._clock = clock
        self._parts = 0

    def before(self):
        """The next part comes under the camera."""
        body = next(body for body in self._machine.bodies if body.index == self._parts)
        self._parts += 1
        while self._machine.belt_mm < body.start_mm + 150:
            self._machine.run(self._machine.next_event_ns())

    def after(self):
        """The machine goes on until the frame has been transferred."""
        self._eye.receive()
        end_ns = self._clock.now_ns() + 20_000_000
        while self._machine.run(end_ns):
            pass
        self._eye.deliver()

    def begin_anew(self):
        self._parts = -(-self._parts // len(LEVELS)) * len(LEVELS)

    def close(self):
        self._eye.close()


class Levels:
    """Parts whose pictures show the levels in turn."""

    def __init__(self, size):
        self._size = size

    def __getitem__(self, index):
        return Piece("", False, lambda: np.full(self._size, LEVELS[index % len(LEVELS)], np.uint8))


def make_line(size, channels):
    return Line.model_validate(
        {
            "encoder": {"driver": "virtual", "speed_mm_s": 500},
            "belt": {"running": {"pin": 17}},
            "trigger": {"sensor": {"pin": 4}},
            "camera": [{"position_mm": 150, "height_px": size[0], "width_px": size[1], "channels": channels}],
            "gate": [{"output": {"pin": 22}}],
        }
    )


def eye_bench(tmp_path, size, **changed):
    clock = VirtualClock(1000)
    place = Place(tmp_path / "bus")
    eye = EyeDevice(place, clock, size, changed.get("channels", 1))
    return Bench(AnewCamera(eye, settings("twin", "", **changed), clock, place), clock, eye=eye)


class AnewCamera(LinkCamera):
    """Before which the parts begin anew when it is opened, as the pictures of the other cameras do."""

    def __init__(self, eye, *args):
        super().__init__(*args)
        self._eye = eye

    def open(self):
        if self._opened is None:
            self._eye.begin_anew()
        super().open()


def gige(tmp_path, size, **changed):
    camera, clock, levels = gige_bench.make(tmp_path, size, **changed)
    return Bench(camera, clock, eye=levels)


BENCHES = {"folder": folder_bench, "video": video_bench, "live": live_bench, "twin-link": eye_bench, "gige": gige}
MARKS = {"gige": pytest.mark.gige}


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, ())) for name in BENCHES])
def bench_of(request, tmp_path):
    """Makes a bench with an open camera of the kind under test."""
    benches = []

    def make(size=(HEIGHT, WIDTH), **changed):
        bench = BENCHES[request.param](tmp_path, size, **changed)
        benches.append(bench)
        bench.camera.open()
        return bench

    yield make
    for bench in benches:
        if bench.device is not None:
            bench.device.send(GONE)
        bench.camera.close()
        if bench.eye is not None:
            bench.eye.close()


def level(frame):
    """The mean grey; MJPEG is lossy."""
    return round(float(frame.image.mean()) / 40) * 40


def test_frame_answers_the_trigger(bench_of):
    bench = bench_of()
    bench.expose()
    frame = bench.camera.grab(bench.soon())
    assert (level(frame), frame.camera, frame.counter) == (40, "top", 1)
    frame.release()


def test_frames_come_in_order_and_are_counted(bench_of):
    bench = bench_of()
    seen = []
    for _ in range(5):
        bench.expose()
        frame = bench.camera.grab(bench.soon())
        seen.append((level(frame), frame.counter))
        frame.release()
    assert seen == [(40, 1), (80, 2), (120, 3), (40, 4), (80, 5)]


@pytest.mark.parametrize(("channels", "shape"), [(1, (HEIGHT, WIDTH)), (3, (HEIGHT, WIDTH, 3))])
def test_frame_has_the_size_and_channels_that_are_set(bench_of, channels, shape):
    bench = bench_of(channels=channels)
    bench.expose()
    image = bench.camera.grab(bench.soon()).image
    assert (image.shape, image.dtype) == (shape, np.uint8)


def test_frame_of_another_size_is_an_error_that_names_both(bench_of):
    bench = bench_of(size=(20, 40))
    bench.expose()
    with pytest.raises(CameraError, match="40 x 20 px where width_px and height_px say 32 x 24"):
        bench.camera.grab(bench.soon())


def test_exposure_lies_within_the_uncertainty_and_after_the_trigger(bench_of):
    bench = bench_of()
    before_ns = bench.clock.now_ns()
    bench.expose()
    frame = bench.camera.grab(bench.soon())
    assert before_ns <= frame.host_ns <= frame.in_memory_ns <= bench.clock.now_ns()
    assert frame.host_ns - frame.uncertainty_ns >= before_ns


def test_frame_keeps_its_pixels_when_the_next_one_comes(bench_of):
    bench = bench_of()
    bench.expose()
    first = bench.camera.grab(bench.soon())
    bench.expose()
    bench.camera.grab(bench.soon())
    assert level(first) == 40


def test_without_a_trigger_there_is_no_frame(bench_of):
    bench = bench_of()
    with pytest.raises(FrameTimeoutError):
        bench.camera.grab(bench.clock.now_ns())


def test_each_frame_is_handed_out_once(bench_of):
    bench = bench_of()
    bench.expose()
    bench.camera.grab(bench.soon())
    with pytest.raises(FrameTimeoutError):
        bench.camera.grab(bench.clock.now_ns() - 5)


def test_opening_twice_changes_nothing(bench_of):
    bench = bench_of()
    bench.expose()
    bench.camera.grab(bench.soon())
    bench.camera.open()
    bench.expose()
    assert level(bench.camera.grab(bench.soon())) == 80


def test_closing_twice_is_allowed_and_a_closed_camera_says_so(bench_of):
    bench = bench_of()
    if bench.device is not None:
        bench.device.send(0)
    bench.camera.close()
    bench.camera.close()
    with pytest.raises(CameraError, match="closed"):
        bench.camera.trigger(bench.clock.now_ns())
    with pytest.raises(CameraError, match="closed"):
        bench.camera.grab(bench.soon())


def test_reopened_camera_begins_anew(bench_of):
    bench = bench_of()
    bench.expose()
    if bench.device is not None:
        bench.device.send(GONE)
    bench.camera.close()
    bench.camera.open()
    with pytest.raises(FrameTimeoutError):
        bench.camera.grab(bench.clock.now_ns())
    bench.expose()
    frame = bench.camera.grab(bench.soon())
    assert (level(frame), frame.counter) == (40, 1)


@pytest.mark.parametrize(
    "wanted",
    [
        settings("folder", "/nowhere/at/all"),
        settings("opencv", "/nowhere/at/all.avi"),
        settings("opencv", "/dev/video987"),
    ],
)
def test_source_that_is_absent_is_an_error(wanted, capfd):
    with pytest.raises(CameraError, match="camera 'top': "):
        open_camera(wanted, SystemClock())
    assert capfd.readouterr().err == ""


def test_table_opens_a_folder(tmp_path):
    camera = open_camera(settings("folder", make_folder(tmp_path / "pictures")), VirtualClock())
    camera.trigger(0)
    assert camera.grab(1).name == "0.png"
    camera.close()


def test_table_opens_a_video(tmp_path):
    camera = open_camera(settings("opencv", make_video(tmp_path / "belt.avi")), VirtualClock())
    camera.trigger(0)
    assert camera.grab(1).name == "belt-000001"
    camera.close()


def test_camera_of_the_twin_is_not_in_the_table():
    with pytest.raises(ConfigError, match="driver 'twin' is not one of folder, opencv"):
        open_camera(settings("twin", ""), VirtualClock())
