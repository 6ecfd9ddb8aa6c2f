"""The last parts of a lane, out of its events."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from app.record.pictures import Shot, write_preview
from app.types import EventKind, LedgerEvent
from app.web.latencies import Latencies
from app.web.parts import Parts, preview_of

PASSED = {"destination": "pass", "route": "pass", "reasons": "", "text": "", "is_flagged": False}
REJECTED = {**PASSED, "destination": "reject", "route": "reject", "reasons": "NO_FRAME", "text": "no frame"}
JUDGED = {"camera": "top", "exposure": 0, "width": 640, "height": 480, "total_us": 2500, "detections": "[]"}


def event(kind, part_id, epoch=1, at_ns=0, **data):
    return LedgerEvent(1, epoch, 0, at_ns or part_id, EventKind[kind], part_id, 0, data)


def folded(*events):
    parts = Parts(1)
    for each in events:
        parts.fold(each)
    return parts


def keys(parts):
    return [part.key for part in parts.newest_first()]


def test_part_appears_with_its_verdict():
    parts = folded(event("TRIGGER", 1), event("VERDICT", 1, **PASSED))

    assert keys(parts) == [(1, 1)]
    assert [part.part_id for part in parts.take_changed()] == [1]
    assert parts.take_changed() == []


def test_record_that_comes_before_the_verdict_waits_for_it():
    early = folded(event("JUDGED", 1, **JUDGED))
    assert keys(early) == []

    early.fold(event("VERDICT", 1, **PASSED))

    assert early.newest_first()[0].as_json(5.0)["total_ms"] == 2.5


def test_record_that_comes_after_the_verdict_is_added():
    parts = folded(event("VERDICT", 1, **PASSED))
    parts.take_changed()

    parts.fold(event("JUDGED", 1, **JUDGED))

    assert [part.as_json(5.0)["total_ms"] for part in parts.take_changed()] == [2.5]


def test_only_the_last_parts_are_kept_and_early_records_do_not_pile_up():
    parts = folded(*(event("VERDICT", n, **PASSED) for n in range(1, 31)))
    for number in range(100, 1000):
        parts.fold(event("JUDGED", number, **JUDGED))

    assert keys(parts) == [(1, n) for n in range(30, 18, -1)]
    assert len(parts._early) <= 64


def test_part_with_several_pictures_is_as_slow_as_its_slowest():
    slow = {**JUDGED, "camera": "side", "exposure": 1, "total_us": 4100}
    parts = folded(event("VERDICT", 1, **PASSED), event("JUDGED", 1, **JUDGED), event("JUDGED", 1, **slow))

    said = parts.newest_first()[0].as_json(5.0)

    assert [picture["camera"] for picture in said["pictures"]] == ["top", "side"]
    assert said["total_ms"] == 4.1


def test_last_reject_outlives_the_strip():
    parts = folded(event("VERDICT", 1, **REJECTED), *(event("VERDICT", n, **PASSED) for n in range(2, 40)))

    assert parts.last_reject.part_id == 1
    assert (1, 1) not in keys(parts)


def test_outcome_of_the_last_reject_is_noted_when_it_has_left_the_strip():
    parts = folded(event("VERDICT", 1, **REJECTED), *(event("VERDICT", n, **PASSED) for n in range(2, 40)))

    parts.fold(event("OUTCOME", 1, outcome="REJECTED", confirmation="SEEN"))

    assert (parts.last_reject.outcome, parts.last_reject.confirmation) == ("REJECTED", "SEEN")


def test_part_that_is_rerouted_becomes_a_reject():
    parts = folded(event("VERDICT", 1, **PASSED), event("REROUTED", 1, to="reject", reason="REJECT_COLLATERAL"))

    said = parts.newest_first()[0].as_json(5.0)

    assert (said["verdict"], said["destination"], said["rerouted"]) == ("reject", "reject", "REJECT_COLLATERAL")
    assert parts.last_reject.part_id == 1


def test_outcome_after_a_restart_belongs_to_the_old_part_of_that_number():
    parts = folded(event("VERDICT", 1, epoch=1, **PASSED), event("VERDICT", 1, epoch=2, **PASSED))

    parts.fold(event("OUTCOME", 1, epoch=2, outcome="LOST", confirmation="MISSING", of_epoch=1))

    assert {part.key: part.outcome for part in parts.newest_first()} == {(1, 1): "LOST", (2, 1): ""}


def test_events_of_no_part_and_of_unknown_parts_change_nothing():
    parts = folded(event("OUTCOME", 9, outcome="PASSED"), LedgerEvent(1, 1, 0, 0, EventKind.STARTED, None, 0, {}))

    assert keys(parts) == []
    assert parts.take_changed() == []


@pytest.mark.parametrize("camera", ["top", "side 2", "a.b_c-d"])
def test_preview_is_looked_for_where_the_recorder_lays_it(tmp_path, camera):
    import numpy as np

    written = write_preview(tmp_path, Shot(2, 3, 45, camera, 0, 0), np.zeros((8, 8), np.uint8))

    assert written.name == preview_of(2, 3, 45, camera)
    assert quote(camera, safe="") in written.name


def test_latency_figures_are_of_the_last_verdicts_only():
    latencies = Latencies(5.0, window=100)
    for part_id, time_ms in enumerate([99.0] * 50 + [1.0] * 90 + [6.0] * 10):
        latencies.note(time_ms, part_id)

    assert latencies.figures() == {
        "count": 100,
        "p50_ms": 1.0,
        "p99_ms": 6.0,
        "p999_ms": 6.0,
        "max_ms": 6.0,
        "slowest": [{"part": part_id, "ms": 6.0} for part_id in (149, 148, 147)],
        "misses": 10,
        "budget_ms": 5.0,
    }


def test_latency_of_nothing_is_nothing():
    latencies = Latencies(5.0)
    latencies.note(3.0)
    latencies.clear()

    assert latencies.figures()["count"] == 0
    assert latencies.figures()["p50_ms"] is None
