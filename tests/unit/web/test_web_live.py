"""What the web process sees of a lane, and when it tells the pages."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from app.bus.block import BlockWriter
from app.config import StorageSettings
from app.record.health import BLOCK, RecorderStatus, encode_health
from app.record.retention import _told
from app.status import State, StopReason
from app.types import Tally
from app.web.views import recorder_view
from tests.unit.web.bench import START_NS, messages

SECOND_NS = 1_000_000_000


def told(subscriber):
    return messages(subscriber.next(0))


def test_lane_without_a_station_has_no_age(bench):
    bench.look()

    view = bench.live.status(1)

    assert (view["age_ms"], view["status"], view["name"]) == (None, None, "Line 1")


def test_age_is_judged_by_the_monotonic_clock(bench):
    bench.publish()
    bench.look(later_ms=1500)

    assert bench.live.status(1)["age_ms"] == 1500


def test_ages_are_told_in_place_of_times(bench):
    latch = StopReason("BIN_FULL", "bin reject is full", START_NS - SECOND_NS, None)
    bench.publish(state=State.STOPPED, latches=(latch,), since_ns=START_NS - 2 * SECOND_NS)
    bench.look()

    status = bench.live.status(1)["status"]

    assert status["for_ms"] == 2000
    assert status["latches"] == [{"cause": "BIN_FULL", "text": "bin reject is full", "for_ms": 1000.0, "part": None}]


@pytest.mark.parametrize(
    ("tally", "is_balanced", "share"),
    [
        (Tally(10, 7, 2, 0, 1), True, 7 / 9),
        (Tally(10, 7, 2, 0, 0), False, 7 / 9),
        (Tally(), True, None),
    ],
)
def test_account_is_told_with_its_balance_and_yield(bench, tally, is_balanced, share):
    bench.publish(tally=tally)
    bench.look()

    said = bench.live.status(1)["status"]["tally"]

    assert (said["is_balanced"], said["yield"]) == (is_balanced, share)


def test_page_hears_of_a_part_at_the_next_look(bench):
    bench.publish()
    bench.event("STARTED")
    bench.look()
    page = bench.live.hub.subscribe(1)
    told(page)
    text = "open 0.91 at x=10 y=20, 30 x 40 px, threshold 0.35"
    bench.judged(7, "reject", text, "DEFECT", [["open", 0.91, 10, 20, 30, 40]])

    bench.look(later_ms=25)

    (name, part), *_ = told(page)
    assert (name, part["key"], part["verdict"]) == ("part", "1-1-7", "reject")
    assert part["pictures"][0]["boxes"][0]["kind"] == "DEFECT"


def test_picture_is_ready_once_its_preview_is_there(bench):
    bench.judged(7)
    bench.look()
    page = bench.live.hub.subscribe(1)
    assert told(page)[0][1]["parts"][0]["pictures"][0]["is_ready"] is False

    bench.preview("lane1-1-7-top.jpg")
    bench.look(later_ms=25)

    assert [part["pictures"][0]["is_ready"] for name, part in told(page) if name == "part"] == [True]


def test_page_hears_something_at_least_every_quarter_of_a_second(bench):
    bench.publish()
    bench.look()
    page = bench.live.hub.subscribe(1)
    told(page)
    heard = []
    for _ in range(200):
        bench.look(later_ms=25)
        heard += [said["sent_ms"] for name, said in told(page) if name == "status"]

    gaps = [after - before for before, after in pairwise(heard)]
    assert max(gaps) <= 250


def test_change_of_state_is_told_sooner_than_the_heartbeat(bench):
    bench.publish()
    bench.look()
    page = bench.live.hub.subscribe(1)
    told(page)
    bench.publish(state=State.STOPPED)

    bench.look(later_ms=100)

    assert [said["status"]["state"] for name, said in told(page) if name == "status"] == ["STOPPED"]


def test_station_that_hangs_grows_old_in_every_heartbeat(bench):
    bench.publish()
    bench.look()
    page = bench.live.hub.subscribe(1)
    told(page)

    ages = []
    for _ in range(8):
        bench.look(later_ms=250)
        ages += [said["age_ms"] for name, said in told(page) if name == "status"]

    assert ages == sorted(ages)
    assert ages[-1] == 2000


def test_latency_is_of_this_epoch(bench):
    bench.judged(1, total_us=9000)
    bench.look()
    bench.sequence = 0
    bench.event("STARTED", epoch=2)
    bench.event("JUDGED", 1, epoch=2, camera="top", total_us=2000)
    bench.look()

    assert bench.live.status(1)["latency"]["max_ms"] == 2.0


def test_garbage_in_the_ring_is_counted_and_passed_over(bench):
    bench.event("STARTED")
    bench.rings[1].write(b"\x00nonsense")
    bench.rings[1].write(json.dumps([1, 1, 1, 5, 6, "NEW_KIND", None, 0, {}]).encode())
    bench.judged(1)
    bench.look()

    assert len(bench.live.parts(1)["parts"]) == 1
    assert bench.live.missed == 2


def test_garbage_in_the_status_block_leaves_the_last_word_to_grow_old(bench):
    bench.publish()
    bench.look()
    bench.blocks[1].write(b"{")
    bench.look(later_ms=1200)

    assert bench.live.status(1)["age_ms"] == 1200


def test_not_a_number_in_an_event_does_not_end_the_page(bench):
    bench.judged(1, total_us=float("nan"), wake_us=float("inf"))
    bench.look()

    assert bench.live.parts(1)["parts"][0]["total_ms"] == 0.0
    assert bench.live.snapshot(1)


def test_station_that_comes_back_with_another_layout_is_followed(bench):
    bench.publish()
    bench.judged(1)
    bench.look()
    bench.blocks.pop(1).close()
    bench.blocks[1] = BlockWriter(bench.place.status(1), 64 * 1024)

    bench.publish(lot="B")
    bench.look(later_ms=300)
    bench.look(later_ms=300)

    assert bench.live.status(1)["status"]["lot"] == "B"


def test_station_is_found_again_after_somebody_has_emptied_the_folder(bench):
    bench.publish()
    bench.judged(1)
    bench.look()
    for writer in (bench.blocks.pop(1), bench.rings.pop(1)):
        writer.close()
    bench.place.status(1).unlink()
    bench.place.ring(1).unlink()
    bench.look(later_ms=1500)

    bench.publish(lot="B")
    bench.judged(2)
    for _ in range(8):
        bench.look(later_ms=250)

    assert bench.live.status(1)["status"]["lot"] == "B"
    assert bench.live.parts(1)["parts"][0]["part"] == 2


def test_lanes_are_told_apart(two_lanes):
    two_lanes.publish(lane=1)
    two_lanes.publish(lane=2, state=State.PURGING)
    two_lanes.look(later_ms=40)

    assert two_lanes.live.status(2)["status"]["state"] == "PURGING"
    assert two_lanes.live.status(1)["lanes"] == [
        {"lane": 1, "state": "RUNNING", "age_ms": 40.0},
        {"lane": 2, "state": "PURGING", "age_ms": 40.0},
    ]


def test_recorder_is_told_with_its_age(bench):
    writer = BlockWriter(bench.place.root / BLOCK, 8192)
    writer.write(encode_health(RecorderStatus(START_NS, rows=7, error="the disk is full")))
    bench.look(later_ms=300)
    writer.close()

    said = bench.live.status(1)["recorder"]

    assert (said["age_ms"], said["rows"], said["error"]) == (300, 7, "the disk is full")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"at_ns": "x"}', b"\xff"])
def test_recorder_report_that_is_none_is_none(content):
    assert recorder_view(content, 0) is None


@pytest.mark.parametrize(("free_gb", "is_short"), [(50, False), (0.8, True), (0.2, True)])
def test_recorder_short_of_room_is_known_by_its_words(free_gb, is_short):
    policy = "; ".join(_told(StorageSettings(), round(free_gb * 1e9)))

    view = recorder_view(encode_health(RecorderStatus(1, policy=policy)), 2)

    assert view["is_short_of_room"] is is_short


def test_thread_that_fails_ends_the_streams_and_says_why(bench, monkeypatch):
    failure = RuntimeError("broken")

    def fail():
        raise failure

    monkeypatch.setattr(bench.live, "look", fail)
    page = bench.live.hub.subscribe(1)
    bench.live.start()
    bench.live._thread.join(10)

    assert bench.live.failure is failure
    assert not bench.live.is_alive
    assert page.next(5) is None
