"""A camera whose device is in the machine's process."""

import numpy as np
import pytest
from workshop import LEAD_MM, line

from app.bus.bell import TriggerPipe
from app.bus.place import Place
from app.clock import NS_PER_MS, NS_PER_S, VirtualClock
from app.config import CameraSettings
from app.errors import CameraError, FrameTimeoutError
from app.twin.eye import SLOTS, STALE_NS, Eye, LinkCamera
from app.twin.machine import Machine
from app.twin.parts import Piece
from app.twin.pins import TwinFactory
from app.twin.scenario import FaultKind, Scenario

SIZE = {"width_px": 32, "height_px": 24}
STEADY = Scenario(pitch_jitter_mm=0.0, speed_jitter=0.0, lead_in_mm=LEAD_MM)


class Grey:
    """Parts whose pictures are as grey as their number."""

    def __getitem__(self, index):
        return Piece(f"part-{index}.png", False, lambda: np.full((24, 32), index, np.uint8))


class Bench:
    """A machine with a camera, and the box's side of it."""

    def __init__(self, folder):
        self.place = Place(folder)
        self.clock = VirtualClock(NS_PER_S)
        settings = line(camera=[{"position_mm": 150, **SIZE}])
        self.machine = Machine(settings, TwinFactory(self.clock), self.clock, Grey(), STEADY, recent=5)
        self.eye = Eye(settings.cameras[0], self.machine, self.clock, self.place, 1, stopwatch=self.clock)
        self.camera = LinkCamera(settings.cameras[0], self.clock, self.place)
        self.camera.open()

    def run_ms(self, duration_ms):
        end_ns = self.clock.now_ns() + round(duration_ms * NS_PER_MS)
        while self.machine.run(end_ns):
            pass
        self.eye.receive()
        self.eye.deliver()

    def run_to_part(self, index):
        """Until this part lies under the camera."""
        self.run_ms(2 * (LEAD_MM + 200 * index + 150 - self.machine.belt_mm) + 0.01)

    def expose(self):
        self.camera.trigger(self.clock.now_ns())
        self.eye.receive()
        self.run_ms(9)

    def grab(self):
        return self.camera.grab(self.clock.now_ns())


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path / "bus")
    bench.run_ms(500)
    yield bench
    bench.camera.close()
    bench.eye.close()


def test_frame_shows_the_part_under_the_camera_and_tells_its_times(bench):
    bench.run_to_part(3)
    exposed_ns = bench.clock.now_ns()
    bench.expose()
    frame = bench.grab()

    assert (frame.image[0, 0], frame.name, frame.counter, frame.slot) == (3, "part-3.png", 1, -1)
    assert frame.host_ns == exposed_ns
    assert frame.in_memory_ns >= exposed_ns + round(8.5 * NS_PER_MS)


def test_frame_is_not_there_before_its_transfer_has_ended(bench):
    bench.camera.trigger(bench.clock.now_ns())
    bench.eye.receive()
    bench.run_ms(8.4)
    with pytest.raises(FrameTimeoutError):
        bench.grab()
    bench.run_ms(0.2)
    assert bench.grab().counter == 1


def test_descriptor_is_readable_when_a_frame_has_come(bench):
    from app.twin.host import readable_of

    bench.camera.trigger(bench.clock.now_ns())
    before = readable_of([bench.camera.fileno()])
    bench.eye.receive()
    bench.run_ms(9)
    after = readable_of([bench.camera.fileno()])
    bench.grab().release()
    with pytest.raises(FrameTimeoutError):
        bench.grab()

    assert (before, bool(after), readable_of([bench.camera.fileno()])) == ([], True, [])


def test_exposure_waits_for_the_time_that_the_trigger_names(bench):
    at_ns = bench.clock.now_ns() + 5 * NS_PER_MS
    bench.camera.trigger(at_ns)
    bench.eye.receive()
    bench.run_ms(20)

    assert bench.grab().host_ns == at_ns


def test_frames_that_nobody_fetches_are_dropped_and_counted(bench):
    for _ in range(SLOTS + 2):
        bench.expose()

    assert bench.eye.dropped == 2
    assert [bench.grab().counter for _ in range(SLOTS)] == [*range(1, SLOTS + 1)]


def test_camera_that_is_opened_anew_counts_anew_and_forgets_what_came_before(bench):
    bench.expose()
    bench.camera.trigger(bench.clock.now_ns())
    bench.eye.receive()
    bench.camera.close()
    bench.run_ms(0.1)
    bench.camera.open()
    bench.run_ms(20)
    with pytest.raises(FrameTimeoutError):
        bench.grab()
    bench.expose()

    assert bench.grab().counter == 1


def test_triggers_from_before_the_machine_are_passed_over(tmp_path):
    place = Place(tmp_path / "bus")
    pipe = TriggerPipe(place.root / "twin1-top.triggers")
    pipe.send(NS_PER_S - STALE_NS - 1, 1)
    bench = Bench(tmp_path / "bus")
    bench.run_ms(20)

    with pytest.raises(FrameTimeoutError):
        bench.grab()
    bench.camera.close()
    bench.eye.close()
    pipe.close()


def test_broken_camera_sends_nothing_until_it_is_mended(bench):
    bench.machine.befall(FaultKind.CAMERA_DEAD, amount=1)
    bench.run_to_part(2)
    bench.expose()
    with pytest.raises(FrameTimeoutError):
        bench.grab()
    bench.machine.mend(FaultKind.CAMERA_DEAD)
    bench.expose()

    assert (bench.eye.failures, bench.grab().counter) == (1, 1)


def test_camera_without_a_machine_is_an_error(tmp_path):
    camera = LinkCamera(CameraSettings(**SIZE), VirtualClock(), Place(tmp_path / "bus"), answers_within_s=0)
    with pytest.raises(CameraError, match=r"camera 'top': .*; start the twin"):
        camera.open()


def test_camera_whose_machine_fetches_no_triggers_says_so(bench):
    pipe = TriggerPipe(bench.place.root / "twin1-top.triggers")
    while pipe.send(0, 2):
        pass
    with pytest.raises(CameraError, match="takes no triggers"):
        bench.camera.trigger(bench.clock.now_ns())
    pipe.close()


def test_frame_with_other_channels_is_an_error(bench):
    colour = LinkCamera(CameraSettings(**SIZE, channels=3), bench.clock, bench.place)
    colour.open()
    bench.expose()
    with pytest.raises(CameraError, match="sends 1 channels where channels says 3"):
        colour.grab(bench.clock.now_ns())
    colour.close()
