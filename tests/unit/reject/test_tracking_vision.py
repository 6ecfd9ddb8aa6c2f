"""Parts that a camera sees come: the frame itself is the trigger."""

import pytest
from rig import PER_MM, PICTURE, Rig, settings

from app.clock import NS_PER_MS
from app.types import EventKind, Frame

CAMERA = {"position_mm": 150, "trigger": "free"}
TRIGGER = {"source": "vision", "vision": {"mm_per_px": 1}}


def seeing(**changes):
    return Rig(settings(trigger=TRIGGER, camera=[CAMERA], **changes))


def show(rig, *, lead_mm=0.0, age_ms=0.0, first_count=None):
    """A frame comes that shows a new part `lead_mm` beyond the camera's position."""
    host_ns = rig.now_ns - round(age_ms * NS_PER_MS)
    frame = Frame(PICTURE, "top", host_ns, lead_um=round(1000 * lead_mm), first_count=first_count)
    found = rig.tracker.frame(frame)
    rig.tracker.tick(rig.now_ns)
    rig.take()
    return found


def trigger_counts(rig):
    return [event.data["trigger_count"] for event in rig.of(EventKind.TRIGGER)]


def test_frame_that_shows_a_part_creates_it_and_is_its_exposure():
    rig = seeing()
    at = rig.count

    exposure = show(rig)
    rig.judge(exposure.part_id)

    assert trigger_counts(rig) == [at - 150 * PER_MM]
    assert rig.exposed == []
    assert rig.tracker.is_complete(exposure.part_id)
    assert rig.reasons == [""]


def test_part_lies_where_the_belt_was_when_the_frame_was_taken():
    rig = seeing()
    rig.move(40)
    at, then_ns = rig.count, rig.now_ns
    rig.move(25)

    show(rig, lead_mm=12.5, age_ms=(rig.now_ns - then_ns) / NS_PER_MS)

    assert trigger_counts(rig) == [at - round(162.5 * PER_MM)]


def test_camera_that_knows_the_count_is_believed():
    rig = seeing()

    show(rig, first_count=2000, age_ms=400)

    assert trigger_counts(rig) == [2000 - 150 * PER_MM]


def test_good_part_that_was_seen_passes_and_a_bad_one_is_rejected():
    rig = seeing()
    for destination in ("pass", "reject"):
        at = rig.count - 150 * PER_MM
        rig.judge(show(rig).part_id, destination)
        rig.move_to(at, 440)
        if destination == "reject":
            rig.edge("chute:reject")
            rig.edge("chute:reject", is_active=False)
        rig.move_to(at, 600)
        if destination == "pass":
            rig.edge("exit")
            rig.edge("exit", is_active=False)
        rig.move_to(at, 800)

    assert [outcome for outcome, _ in rig.outcomes] == ["PASSED", "REJECTED"]
    assert rig.causes == []
    assert rig.tracker.tally.is_balanced


def test_part_that_the_belt_brings_back_under_the_camera_is_known():
    rig = seeing()
    rig.judge(show(rig).part_id)
    rig.move(30)
    rig.move(-60)
    rig.move(30)

    assert show(rig) is None
    assert rig.tracker.tally.triggers == 1
    assert len(rig.of(EventKind.TRIGGER_REPEAT)) == 1


def test_parts_seen_too_close_together_are_both_rejected():
    rig = seeing()
    first = show(rig)
    rig.move(70)
    second = show(rig)
    rig.judge(first.part_id)

    assert second is None
    assert rig.reasons == ["TOUCHING", "TOUCHING"]


def test_part_that_lay_before_the_camera_at_the_start_is_rejected_as_unwatched():
    rig = Rig(settings(trigger=TRIGGER, camera=[CAMERA]), is_ready=False)
    rig.move(1)

    assert show(rig) is None
    assert rig.reasons == ["PURGED"]
    assert rig.causes == []


def test_covered_sensor_means_nothing_where_a_camera_triggers():
    rig = seeing()
    rig.judge(show(rig).part_id)
    rig.move(400)

    assert rig.causes == []


@pytest.mark.parametrize("cameras", [[CAMERA, {"name": "side", "position_mm": 250}]])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_other_cameras_are_triggered_as_the_part_comes_to_them(cameras, is_reversed):
    rig = Rig(settings(trigger=TRIGGER, camera=cameras[::-1] if is_reversed else cameras))
    at = rig.count - 150 * PER_MM
    exposure = show(rig)

    assert not rig.tracker.is_complete(exposure.part_id)
    rig.move_to(at, 251)
    rig.frame(camera="side")
    assert rig.exposed == [exposure.part_id]
    assert rig.tracker.is_complete(exposure.part_id)
