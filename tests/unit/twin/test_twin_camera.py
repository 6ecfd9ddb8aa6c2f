import numpy as np
import pytest
from workshop import LEAD_MM, Workshop, line

from app.clock import NS_PER_MS
from app.errors import CameraError, DataError, FrameTimeoutError
from app.twin.camera import TwinCamera
from app.twin.parts import Piece
from app.twin.scenario import Fault, FaultKind

CAMERA_MM = 150.0
PITCH = 200.0
READY_MS = 0.5 + 8.0


class Studio:
    """A camera over a moving belt, triggered by hand at the part where it belongs."""

    def __init__(self, parts=4, *, fault=None, **camera):
        camera = {"width_px": 32, "height_px": 32, "position_mm": CAMERA_MM, **camera}
        settings = line(camera=[camera])
        self.shop = Workshop(parts, settings=settings, faults=(fault,) if fault else ())
        self.camera = TwinCamera(settings.cameras[0], self.shop.machine, self.shop.clock)
        self.camera.open()

    def shoot(self, part, off_mm=0.0):
        self.shop.run_to_mm(LEAD_MM + CAMERA_MM + part * PITCH + off_mm)
        self.camera.trigger(self.shop.clock.now_ns())

    def wait(self, for_ms=READY_MS + 0.1):
        self.shop.run_to_ms(self.shop.clock.now_ns() / NS_PER_MS + for_ms)

    def grab(self):
        return self.camera.grab(self.shop.clock.now_ns())

    def grab_all(self):
        frames = []
        while True:
            try:
                frames.append(self.grab())
            except FrameTimeoutError:
                return frames

    def frames(self, parts=4):
        frames = []
        for part in range(parts):
            self.shoot(part)
            self.wait()
            frames += self.grab_all()
        return frames


def at(kind, **fault):
    return Fault(kind, at_part=1, **fault)


def test_part_under_the_camera_is_in_its_picture():
    frames = Studio().frames()
    assert [frame.name for frame in frames] == [f"part-{i}.png" for i in range(4)]
    assert [int(frame.image[0, 0]) for frame in frames] == [0, 1, 2, 3]
    assert [frame.counter for frame in frames] == [1, 2, 3, 4]


def test_frame_is_ready_after_exposure_and_transfer_and_not_before():
    studio = Studio()
    studio.shoot(0)
    began_ns = studio.shop.clock.now_ns()
    studio.wait(READY_MS - 0.01)
    with pytest.raises(FrameTimeoutError):
        studio.grab()
    studio.wait(0.02)
    frame = studio.grab()
    assert frame.host_ns == began_ns
    assert frame.in_memory_ns == began_ns + READY_MS * NS_PER_MS


def test_picture_of_no_part_shows_the_belt():
    studio = Studio()
    studio.shoot(0, off_mm=PITCH / 2)
    studio.wait()
    frame = studio.grab()
    assert frame.name == ""
    assert 20 < frame.image.mean() < 120


def test_part_a_little_off_its_place_is_still_seen():
    studio = Studio()
    studio.shoot(0, off_mm=10)
    studio.wait()
    assert studio.grab().name == "part-0.png"


def test_part_that_was_taken_away_is_not_in_the_picture():
    studio = Studio()
    studio.shop.run_to_mm(LEAD_MM + 100)
    studio.shop.machine.clear_stretch()
    studio.shoot(0)
    studio.wait()
    assert studio.grab().name == ""


def test_picture_has_the_size_and_channels_of_the_settings():
    frame = Studio(width_px=48, height_px=20, channels=3).frames(1)[0]
    assert frame.image.shape == (20, 48, 3)
    assert frame.image.dtype == np.uint8


def test_dead_camera_sends_nothing():
    frames = Studio(fault=at(FaultKind.CAMERA_DEAD, duration_mm=150.0)).frames()
    assert [frame.name for frame in frames] == ["part-0.png", "part-2.png", "part-3.png"]


def test_dead_camera_can_refuse_the_trigger():
    studio = Studio(fault=at(FaultKind.CAMERA_DEAD, amount=1.0))
    studio.shoot(0)
    with pytest.raises(CameraError, match="does not answer"):
        studio.shoot(1)


def test_late_frame_comes_late():
    studio = Studio(fault=at(FaultKind.FRAME_LATE, amount=50.0))
    studio.shoot(1)
    studio.wait(READY_MS + 49)
    assert studio.grab_all() == []
    studio.wait(2)
    assert studio.grab().name == "part-1.png"


def test_lost_frame_leaves_a_gap_in_the_counter():
    frames = Studio(fault=at(FaultKind.FRAME_LOST)).frames()
    assert [(frame.name, frame.counter) for frame in frames] == [
        ("part-0.png", 1),
        ("part-2.png", 3),
        ("part-3.png", 4),
    ]


def test_doubled_frame_comes_twice():
    frames = Studio(fault=at(FaultKind.FRAME_DOUBLED)).frames()
    assert [frame.name for frame in frames] == ["part-0.png", "part-1.png", "part-1.png", "part-2.png", "part-3.png"]


def test_stale_frame_is_the_one_before_with_its_own_time_and_counter():
    frames = Studio(fault=at(FaultKind.FRAME_STALE)).frames()
    assert [frame.name for frame in frames] == ["part-0.png", "part-0.png", "part-2.png", "part-3.png"]
    assert frames[1] is frames[0]


def test_counter_jumps_and_goes_on_from_there():
    frames = Studio(fault=at(FaultKind.COUNTER_JUMP, amount=2.0)).frames()
    assert [frame.counter for frame in frames] == [1, 4, 5, 6]


def test_closed_camera_refuses_and_opens_again():
    studio = Studio()
    studio.shoot(0)
    studio.camera.close()
    studio.camera.close()
    with pytest.raises(CameraError, match="closed"):
        studio.camera.trigger(0)
    with pytest.raises(CameraError, match="closed"):
        studio.grab()
    studio.camera.open()
    studio.camera.open()
    studio.shoot(1)
    studio.wait()
    assert studio.grab().name == "part-1.png"


def test_frame_on_its_way_when_the_camera_closes_never_arrives():
    studio = Studio()
    studio.shoot(0)
    studio.camera.close()
    studio.camera.open()
    studio.wait()
    assert studio.grab_all() == []


def frame_of(piece):
    """What the camera makes of a part in place of the first one."""
    studio = Studio()
    studio.shop.machine.bodies[0].piece = piece
    studio.shoot(0)
    studio.wait()
    return studio.grab()


def test_picture_that_is_a_frame_already_keeps_its_size():
    whole = np.zeros((50, 70, 3), np.uint8)
    assert frame_of(Piece("a.png", is_bad=True, load=lambda: whole, is_frame=True)).image.shape == (50, 70, 3)
    assert frame_of(Piece("a.png", is_bad=True, load=lambda: whole)).image.shape == (32, 32)


def test_part_whose_picture_cannot_be_read_is_a_fault_of_the_camera():
    def torn():
        raise DataError("a.png is cut off", "copy it again")

    with pytest.raises(CameraError, match=r"no picture of a\.png: a\.png is cut off; copy it again"):
        frame_of(Piece("a.png", is_bad=True, load=torn, is_frame=True))
