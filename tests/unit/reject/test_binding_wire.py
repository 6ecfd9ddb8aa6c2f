"""A camera that the part sensor triggers by a wire: its frame may be there before the edge is confirmed."""

from rig import PICTURE, Rig, settings

from app.clock import NS_PER_MS
from app.types import EventKind, Frame

WIRED = {"position_mm": 0, "trigger": "wire", "binding": "counter", "window_ms": 5}


def wired(**changes):
    return Rig(settings(camera=[{**WIRED, **changes}], trigger__sensor={"pin": 4, "debounce_ms": 10}))


def picture(rig, counter, age_ms=0.0):
    return Frame(PICTURE, "top", rig.now_ns - round(age_ms * NS_PER_MS), counter=counter)


def test_frame_before_its_part_is_shown_again_and_then_bound():
    rig = wired()
    early = picture(rig, 1)

    assert rig.tracker.is_early(early)
    rig.part(covered_mm=1)
    assert not rig.tracker.is_early(early)
    assert rig.tracker.frame(early).part_id == 1


def test_exposure_is_dated_by_the_sensor_and_not_by_its_confirmation():
    rig = wired(window_ms=1)
    begun_ns = rig.now_ns
    rig.part(covered_mm=4)
    rig.wait(10)

    assert rig.tracker.frame(picture(rig, 7, age_ms=(rig.now_ns - begun_ns) / NS_PER_MS)).part_id == 1
    assert rig.reasons == []


def test_frame_that_no_part_follows_is_a_mismatch_in_the_end():
    rig = wired()
    at = rig.part(covered_mm=1)
    assert rig.tracker.frame(picture(rig, 1)) is not None
    rig.move_to(at, 95)
    stray = picture(rig, 2)
    assert rig.tracker.is_early(stray)
    rig.wait(50)

    assert not rig.tracker.is_early(stray)
    assert rig.tracker.frame(stray) is None
    rig.tracker.tick(rig.now_ns)
    rig.take()
    assert rig.reasons == ["COUNTER_MISMATCH"]


def test_frame_of_a_commanded_camera_is_never_early():
    rig = wired(trigger="command")

    assert not rig.tracker.is_early(picture(rig, 1))


def test_frame_that_shows_its_own_part_is_never_early():
    rig = wired()

    assert not rig.tracker.is_early(Frame(PICTURE, "top", rig.now_ns, counter=1, lead_um=0))
    assert rig.of(EventKind.TRIGGER) == []
