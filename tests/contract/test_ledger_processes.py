"""Ring and ledger across processes: whatever becomes of the recorder, every event is recorded once."""

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from app.bus.block import BlockReader
from app.bus.events import decode_event, encode_event
from app.bus.place import Place
from app.bus.ring import RingReader, RingWriter
from app.config import StorageSettings
from app.errors import BusError, RecordError, RingFullError
from app.record.database import FILE
from app.record.health import BLOCK
from app.record.readers import Records
from app.record.recorder import Recorder
from app.record.verify import verify
from tests.groups import ROOT
from tests.unit.record.station_events import StationEvents

CHILD = Path(__file__).with_name("ledger_child.py")
PATIENCE_S = 60.0
PAUSE_S = 0.005
RING_BYTES = 1 << 18
KILLS = 4
MANY_KILLS = 100
LARGEST_FILE = 400_000


class Box:
    """A station in this process and a recorder in another."""

    def __init__(self, folder):
        self.place = Place(folder / "bus")
        self.state = folder / "state"
        self.ledger = self.state / "ledger"
        self.ring = RingWriter(self.place.ring(1), RING_BYTES)
        self.station = StationEvents()
        self.written = []
        self.child = None

    def start(self, *limit):
        command = [sys.executable, str(CHILD), str(self.place.root), str(self.state), *map(str, limit)]
        self.child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})

    def kill(self):
        self.child.kill()
        self.child.wait(PATIENCE_S)

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        assert self.child.wait(PATIENCE_S) == 0

    def write(self, parts):
        """Writes parts as fast as the recorder makes room."""
        for _ in range(parts):
            events = self.station.part() if self.written else self.station.start()
            payloads = [encode_event(event) for event in events]
            self.until(lambda now=payloads: self._put(now))
            self.written += events

    def _put(self, payloads):
        try:
            self.ring.write_many(payloads)
        except RingFullError:
            return False
        return True

    def until(self, is_so):
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(PAUSE_S)

    def drain(self):
        self.until(lambda: self.ring.backlog_bytes == 0)

    def status(self):
        with suppress(BusError), closing(BlockReader(self.place.root / BLOCK)) as reader:
            return json.loads(reader.read() or b"{}")
        return {}

    def recorded(self):
        with closing(sqlite3.connect(self.ledger / FILE)) as connection:
            query = "SELECT epoch, sequence, kind, part_id, at_ns FROM events ORDER BY row"
            return connection.execute(query).fetchall()

    def close(self):
        if self.child is not None and self.child.poll() is None:
            self.kill()
        self.ring.close()


def rows(events):
    return [(each.epoch, each.sequence, each.kind.value, each.part_id, each.at_ns) for each in events]


@pytest.fixture
def box(tmp_path):
    made = Box(tmp_path)
    yield made
    made.close()


def test_a_recorder_killed_at_any_moment_loses_and_doubles_nothing(box, is_long):
    chance = random.Random(20260301)
    for _ in range(MANY_KILLS if is_long else KILLS):
        box.start()
        box.until(lambda: box.status().get("at_ns", 0) > 0)
        box.write(chance.randrange(50, 900))
        box.kill()
        assert verify(box.ledger).is_sound
    box.start()
    box.drain()
    box.stop()

    assert box.recorded() == rows(box.written)
    assert verify(box.ledger).is_sound


def test_a_station_that_starts_takes_over_what_ring_and_ledger_say_together(box):
    box.start()
    box.write(40)
    box.drain()
    box.kill()
    box.write(7)
    trigger = box.station.trigger()
    box.ring.write(encode_event(trigger))

    listener = RingReader(box.place.ring(1), keeper=False, name="station", from_oldest=True)
    pending = [decode_event(each) for each in listener.read(10_000)]
    listener.close()
    records = Records(box.ledger)
    opening = records.opening(1, pending)
    records.close()

    tally = opening.tallies["lot-1"]
    assert (opening.epoch, opening.lot) == (2, "lot-1")
    assert (tally.triggers, tally.in_flight, tally.is_balanced) == (47, 1, True)
    assert [each.part_id for each in opening.orphans] == [trigger.part_id]


def test_the_ledger_verifies_while_another_process_writes_it(box):
    box.start()
    found = []
    for _ in range(5):
        box.write(150)
        with suppress(RecordError):  # not there yet
            found.append(verify(box.ledger))
    box.drain()
    box.stop()

    assert len(found) > 1
    assert [each.problems for each in found] == [()] * len(found)
    assert box.recorded() == rows(box.written)


def test_a_reader_that_never_ends_stops_nobody(box):
    box.start()
    box.write(20)
    box.drain()
    with closing(sqlite3.connect(f"file:{box.ledger / FILE}?mode=ro", uri=True)) as connection:
        connection.execute("BEGIN")
        before = connection.execute("SELECT count(*) FROM events").fetchone()
        box.write(200)
        box.drain()
        after = connection.execute("SELECT count(*) FROM events").fetchone()
    box.stop()

    assert before == after
    assert box.recorded() == rows(box.written)


def test_a_full_disk_keeps_the_ring_says_so_and_goes_on_when_there_is_room(box):
    box.start(LARGEST_FILE)
    with pytest.raises(RingFullError):
        fill(box)
    box.until(lambda: box.status().get("error"))
    status = box.status()
    assert "ledger.sqlite" in status["error"]
    assert "the line stops" in status["error"]
    assert status["backlog_bytes"] > 0
    assert verify(box.ledger).is_sound

    resource.prlimit(box.child.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    box.drain()
    box.until(lambda: box.status()["error"] == "")
    box.stop()

    assert box.recorded() == rows(box.written)
    assert verify(box.ledger).is_sound


def fill(box):
    """Writes until the recorder has not taken anything for a while and the ring is full."""
    while True:
        events = box.station.part() if box.written else box.station.start()
        payloads = [encode_event(event) for event in events]
        try:
            box.ring.write_many(payloads)
        except RingFullError:
            if not box.status().get("error"):
                box.until(lambda now=payloads: box._put(now) or box.status().get("error"))
            box.ring.write_many(payloads)
        box.written += events


def test_a_second_recorder_on_the_same_bus_is_refused(box):
    box.start()
    box.until(lambda: box.status().get("at_ns", 0) > 0)

    with pytest.raises(BusError, match=f"held by process {box.child.pid}"):
        Recorder(box.place, box.state, {1: ("top",)}, StorageSettings())

    box.write(20)
    box.drain()
    box.stop()
    assert box.recorded() == rows(box.written)


@pytest.mark.parametrize("where", ["/proc/takt-ledger", "/dev/null/takt"])
def test_a_folder_that_cannot_be_written_is_said_and_nothing_is_taken(box, where):
    box.state = Path(where)
    box.start()
    box.write(3)

    box.until(lambda: box.status().get("error"))

    assert where in box.status()["error"]
    assert box.ring.backlog_bytes > 0
    box.stop()
