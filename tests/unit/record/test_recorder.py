import hashlib
import itertools
import json
import sqlite3
import threading
from contextlib import closing

import cv2
import numpy as np
import pytest

from app.bus.block import BlockReader
from app.bus.events import encode_event
from app.bus.place import Place
from app.bus.ring import RingWriter
from app.bus.slots import SlotReader, SlotWriter
from app.clock import NS_PER_S, VirtualClock
from app.config import StorageSettings
from app.errors import RecordError, RingFullError
from app.record.database import FILE
from app.record.health import BLOCK
from app.record.ledger import Ledger
from app.record.readers import Records
from app.record.recorder import Recorder
from app.record.retention import GB
from app.record.verify import verify
from app.types import EventKind, Frame
from tests.unit.record.station_events import StationEvents

ENOUGH = 100 * GB
SLOTS = 8
WAIT_S = 20.0


class Bench:
    """A recorder with a station beside it that writes what the test says."""

    def __init__(self, folder, storage=None, lanes=(1,), ring_bytes=1 << 20):
        self.place = Place(folder / "bus")
        self.state = folder / "state"
        self.clock = VirtualClock(10 * NS_PER_S)
        self.storage = storage or StorageSettings(pass_every=2)
        self.free = ENOUGH
        self.lanes = lanes
        self.rings = {lane: RingWriter(self.place.ring(lane), ring_bytes) for lane in lanes}
        self.frames = SlotWriter(self.place.frames(1, "top"), SLOTS, 24, 32, 3)
        self.station_slots = SlotReader(self.place.frames(1, "top"), "station", fresh=True)
        self.station = StationEvents()
        self.recorder = self.start()

    def start(self):
        names = dict.fromkeys(self.lanes, ("top",))
        return Recorder(self.place, self.state, names, self.storage, self.clock, lambda _folder: self.free)

    def write(self, *events):
        for event in events:
            self.rings[event.lane].write(encode_event(event))

    def step(self, after_s=1.0):
        self.clock.advance_to(self.clock.now_ns() + round(after_s * NS_PER_S))
        return self.recorder.step()

    def settle(self):
        """Until everything that was sent to the darkroom is entered."""
        self.step()
        assert self.recorder._darkroom.finish(WAIT_S)
        self.step()

    def status(self):
        reader = BlockReader(self.place.root / BLOCK)
        said = json.loads(reader.read())
        reader.close()
        return said

    def hand_over(self, part_id, limit=SLOTS):
        """A frame from camera to station and on to the recorder; its slot, or -1 where that was refused."""
        now_ns = self.clock.now_ns()
        self.frames.put(Frame(np.full((24, 32, 3), part_id % 251, np.uint8), "top", now_ns, in_memory_ns=now_ns))
        frame = self.station_slots.take()
        is_given = self.station_slots.hand_over(frame.slot, frame.generation, "recorder", limit)
        frame.release()
        return {"slot": frame.slot if is_given else -1, "generation": frame.generation}

    def judge(self, destination="pass", **data):
        """Trigger, verdict and judged frame of a part, with its picture in a slot."""
        trigger = self.station.trigger()
        part_id = trigger.part_id
        slot = self.hand_over(part_id)
        verdict = self.station.verdict(part_id, destination, **data)
        self.write(trigger, verdict, self.station.judged(part_id, destination, **slot, **data))
        return part_id

    def rows(self, query):
        with closing(sqlite3.connect(self.state / "ledger" / FILE)) as connection:
            return connection.execute(query).fetchall()

    def pictures(self):
        return self.rows("SELECT part_id, kind FROM pictures ORDER BY part_id")

    def previews(self):
        return {int(path.name.split("-")[2]) for path in self.place.previews().iterdir()}

    def close(self):
        self.recorder.close()
        for each in (*self.rings.values(), self.frames, self.station_slots):
            each.close()


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()


# Events


def test_events_of_the_ring_are_in_the_ledger_and_the_ring_is_free_again(bench):
    events = bench.station.run(5)
    bench.write(*events)

    assert bench.step()

    assert bench.rings[1].backlog_bytes == 0
    assert bench.rows("SELECT count(*) FROM events") == [(len(events),)]
    assert verify(bench.state / "ledger").is_sound


def test_two_lanes_are_recorded_side_by_side(tmp_path):
    bench = Bench(tmp_path, lanes=(1, 2))
    bench.write(*bench.station.run(3), *StationEvents(lane=2).run(4))

    bench.step()
    bench.close()

    assert [each.parts for each in verify(bench.state / "ledger").lanes] == [3, 4]


def test_a_station_that_comes_later_is_found(tmp_path):
    bench = Bench(tmp_path)
    bench.recorder.close()
    path = bench.place.ring(1)
    path.unlink()
    bench.recorder = bench.start()
    bench.step()
    bench.rings[1].close()
    bench.rings[1] = RingWriter(path, 1 << 20)
    bench.write(*bench.station.run(2))

    assert bench.step()
    bench.close()


def test_what_was_not_committed_to_the_ring_is_recorded_once(bench, monkeypatch):
    bench.step()
    events = bench.station.run(4)
    bench.write(*events)
    monkeypatch.setattr(bench.recorder, "_commit", lambda: None)
    bench.step()
    bench.recorder.close()

    bench.recorder = bench.start()
    bench.step()

    assert bench.rings[1].backlog_bytes == 0
    assert bench.rows("SELECT count(*) FROM events") == [(len(events),)]
    assert verify(bench.state / "ledger").is_sound


def test_a_record_that_is_no_event_is_counted_and_said(bench):
    bench.write(*bench.station.run(1))
    bench.rings[1].write(b"garbage")
    bench.step()
    bench.step()

    assert bench.rings[1].backlog_bytes == 0
    assert bench.status()["garbled"] == 1
    assert "garbage" in bench.status()["error"]


def test_an_event_with_a_number_that_no_ledger_holds_is_counted(bench):
    event = bench.station.event(EventKind.ALARM, 1 << 70)
    bench.write(event)
    bench.step()

    assert bench.status()["garbled"] == 1


def test_a_missing_event_is_said(bench):
    first, _, *rest = bench.station.run(2)
    bench.write(first, *rest)
    bench.step()
    bench.step()

    assert "never came" in bench.status()["error"]


def test_a_clock_that_jumps_back_changes_nothing(bench):
    bench.write(*bench.station.run(2))
    bench.step()
    bench.clock._epoch = bench.clock._epoch.replace(year=1999)
    bench.write(*bench.station.part())
    bench.step()

    assert verify(bench.state / "ledger").is_sound
    assert bench.status()["error"] == ""


# A ledger that cannot be written


def failing(*_arguments):
    raise RecordError("the disk is full", "make room")


def test_a_full_disk_keeps_the_events_in_the_ring_and_says_so(bench, monkeypatch):
    bench.step()
    monkeypatch.setattr(Ledger, "append", failing)
    bench.write(*bench.station.run(2))
    waiting = bench.rings[1].backlog_bytes

    assert not bench.step()
    bench.step()

    assert bench.rings[1].backlog_bytes == waiting
    assert bench.status()["backlog_bytes"] > 0
    assert "the disk is full; make room" in bench.status()["error"]


def test_a_ledger_that_stays_unwritable_fills_the_ring(tmp_path, monkeypatch):
    bench = Bench(tmp_path, ring_bytes=8192)
    monkeypatch.setattr(Ledger, "append", failing)

    def work_on():
        for _ in range(100):
            bench.write(*bench.station.part())
            bench.step()

    with pytest.raises(RingFullError):
        work_on()
    bench.close()


def test_when_there_is_room_again_nothing_is_missing(bench, monkeypatch):
    events = bench.station.run(8)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", failing)
        for event in events[:20]:
            bench.write(event)
            bench.step(0.05)
    bench.write(*events[20:])
    for _ in range(10):
        bench.step()

    assert bench.rows("SELECT count(*) FROM events") == [(len(events),)]
    assert bench.status()["error"] == ""
    assert verify(bench.state / "ledger").is_sound


def test_tries_become_rarer(bench, monkeypatch):
    bench.step()
    tries = []
    monkeypatch.setattr(Ledger, "append", lambda *_: tries.append(bench.clock.now_ns()) or failing())
    bench.write(*bench.station.run(1))
    for _ in range(1200):
        bench.step(0.05)

    pauses = [(b - a) / NS_PER_S for a, b in itertools.pairwise(tries)]
    assert pauses == sorted(pauses)
    assert 4.9 < pauses[-1] < 5.2


def test_a_ledger_in_other_hands_is_waited_for(tmp_path):
    other = Ledger.open(tmp_path / "state" / "ledger")
    bench = Bench(tmp_path)
    bench.write(*bench.station.run(1))
    bench.step()
    assert "held by process" in bench.status()["error"]

    other.close()
    bench.step(6)
    bench.step()

    assert bench.rings[1].backlog_bytes == 0
    assert bench.status()["error"] == ""
    bench.close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "state").write_text("in the way")
    bench = Bench(tmp_path)
    bench.write(*bench.station.run(1))

    bench.step()

    assert "state" in bench.status()["error"]
    assert bench.rings[1].backlog_bytes > 0
    bench.close()


# Pictures


def test_rejects_and_flagged_parts_keep_their_pictures_and_passes_are_sampled(bench):
    bench.step()
    bench.write(*bench.station.start())
    for destination, data in (("pass", {}), ("pass", {}), ("reject", {}), ("pass", {"is_flagged": True})):
        bench.judge(destination, **data)
    bench.write(bench.station.trigger())
    bench.settle()

    assert bench.pictures() == [(2, "pass"), (3, "reject"), (4, "flagged")]
    assert bench.previews() == {1, 2, 3, 4}
    assert bench.frames.free() is not None
    assert bench.status()["kept_reject"] == 1


def test_the_story_of_a_part_names_its_picture(bench):
    bench.step()
    bench.write(*bench.station.start())
    bench.judge("reject")
    bench.settle()
    records = Records(bench.state / "ledger")

    story = records.story(records.part(1))
    records.close()

    (picture,) = story.pictures
    content = (bench.state / "pictures" / picture.file).read_bytes()
    assert (picture.camera, picture.exposure, picture.kind, picture.gone) == ("top", 0, "reject", None)
    assert picture.sha256 == hashlib.sha256(content).hexdigest()
    assert (cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) == 1).all()


def test_every_slot_is_given_back(bench):
    bench.step()
    bench.write(*bench.station.start())
    for _ in range(SLOTS * 3):
        bench.judge()
        bench.step()

    reader = SlotReader(bench.place.frames(1, "top"), "recorder")
    assert reader.held == 0
    assert bench.frames.dropped == 0
    reader.close()


def test_a_frame_whose_part_is_decided_later_is_kept_by_that_verdict(bench):
    bench.step()
    bench.write(*bench.station.start())
    first, second = bench.station.trigger(), bench.station.trigger()
    bench.write(first, bench.station.judged(1, "pass", **bench.hand_over(1)))
    bench.write(second, bench.station.judged(2, "pass", **bench.hand_over(2)))
    bench.step()
    bench.write(bench.station.verdict(1, "reject"), bench.station.verdict(2))
    bench.settle()

    assert bench.pictures() == [(1, "reject"), (2, "pass")]


def test_frames_without_a_verdict_do_not_pile_up(bench):
    bench.step()
    bench.write(*bench.station.start())
    for number in range(1, 10):
        bench.write(bench.station.trigger(), bench.station.judged(number, "reject", **bench.hand_over(number)))
        bench.step()
    bench.settle()

    assert bench.pictures() == [(number, "reject") for number in range(1, 6)]


def test_a_picture_that_nobody_can_have_any_more_is_counted(bench):
    bench.step()
    bench.write(*bench.station.start())
    trigger, verdict = bench.station.trigger(), bench.station.verdict(1, "reject")
    bench.write(trigger, verdict, bench.station.judged(1, "reject", slot=3, generation=77))
    bench.settle()

    assert bench.pictures() == []
    assert bench.status()["dropped_reject"] == 1


def test_a_recorder_that_does_not_keep_up_loses_pictures_and_no_event(tmp_path):
    bench = Bench(tmp_path)
    bench.step()
    bench.write(*bench.station.start())
    for _ in range(30):
        trigger = bench.station.trigger()
        slot = bench.hand_over(trigger.part_id, limit=SLOTS // 2)
        verdict = bench.station.verdict(trigger.part_id, "reject")
        bench.write(trigger, verdict, bench.station.judged(trigger.part_id, "reject", **slot))
    bench.settle()
    status = bench.status()

    assert bench.station_slots.refused == 30 - SLOTS // 2
    assert (status["kept_reject"], status["dropped_reject"]) == (SLOTS // 2, 30 - SLOTS // 2)
    assert bench.rows("SELECT count(*) FROM events") == [(92,)]
    assert bench.frames.dropped == 0
    bench.close()


def test_a_nearly_full_disk_drops_passes_then_rejects_and_never_events(bench):
    bench.write(*bench.station.start())
    bench.free = round(0.9 * GB)
    bench.step()
    bench.judge("pass")
    bench.judge("pass")
    bench.judge("reject")
    bench.settle()
    assert bench.pictures() == [(3, "reject")]
    assert "pictures of passes are not kept" in bench.status()["policy"]

    bench.free = round(0.2 * GB)
    bench.step()
    bench.judge("reject")
    bench.settle()

    status = bench.status()
    assert "no picture is kept" in status["policy"]
    assert (status["dropped_pass"], status["dropped_reject"], status["deleted_reject"]) == (1, 1, 1)
    assert bench.rows("SELECT count(*) FROM events") == [(14,)]


def test_frames_of_a_dead_station_are_let_go(bench):
    bench.step()
    bench.hand_over(1)
    reader = SlotReader(bench.place.frames(1, "top"), "recorder")
    assert reader.held == 1

    bench.step(30)

    assert reader.held == 0
    reader.close()


def test_pictures_of_a_recorder_that_died_are_had_by_the_next_one(bench):
    bench.step()
    bench.write(*bench.station.start())
    bench.step()
    bench.recorder._selection.close()
    bench.judge("reject")
    bench.recorder._selection._slots.clear()  # as a process that was killed lets nothing go
    bench.recorder.close()

    bench.recorder = bench.start()
    bench.settle()
    bench.step()

    assert bench.pictures() == [(1, "reject")]
    reader = SlotReader(bench.place.frames(1, "top"), "recorder")
    assert reader.held == 0
    reader.close()


def test_previews_are_limited_in_time(bench):
    bench.step()
    bench.write(*bench.station.start())
    for _ in range(4):
        for _ in range(6):
            bench.judge()
        bench.step(0.001)
        assert bench.recorder._darkroom.finish(WAIT_S)
    assert bench.recorder._darkroom.finish(WAIT_S)

    assert len(bench.previews()) == 10


# Running


def test_the_loop_beats_and_commits_what_is_left_when_it_is_told_to_stop(tmp_path):
    bench = Bench(tmp_path)
    stop, beats = threading.Event(), []

    def beat():
        beats.append(1)
        if len(beats) == 2:
            bench.write(*bench.station.run(3))
        if len(beats) == 4:
            stop.set()

    bench.recorder.run(stop, beat)

    assert len(beats) == 4
    assert bench.rings[1].backlog_bytes == 0
    assert verify(bench.state / "ledger").lanes[0].parts == 3
    bench.close()
