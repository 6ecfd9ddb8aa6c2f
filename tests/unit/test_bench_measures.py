"""What a bench takes down, what it makes of it, and the neighbours that it keeps busy."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from app.bench.ground import device, versions
from app.bench.loads import Busy, Recording
from app.bench.peer import compare, open_ultralytics
from app.bench.tape import LEADING, Tape, figures_of
from app.bench.witness import Witness
from app.bus.events import encode_event
from app.bus.place import Place
from app.bus.ring import RingWriter
from app.clock import SystemClock
from app.detect.blank import open_blank
from app.detect.package import load_package
from app.errors import DataError, DetectorError, MissingDriverError
from app.latency import LatencyLedger
from tests.unit.detect.tiny_model import blank, write_package
from tests.unit.record.station_events import StationEvents

MS = 1_000_000
DEADLINE_S = 20.0


def test_the_tape_gives_each_block_its_own():
    ledger = LatencyLedger((LEADING, "gate"))
    ledger.note(LEADING, 9 * MS)
    tape = Tape(ledger)
    ledger.note(LEADING, 1 * MS)
    assert tape.look(-1, 0.1) == 1
    for took in (2, 3):
        ledger.note(LEADING, took * MS)
    ledger.note("gate", 7 * MS)
    assert tape.look(0, 0.2) == 2
    assert tape.look(0, 0.3) == 0
    ledger.note(LEADING, 4 * MS)
    tape.look(1, 0.4)
    assert tape.times_ms(LEADING, [0]).tolist() == [2.0, 3.0]
    assert tape.times_ms(LEADING, [0, 1]).tolist() == [2.0, 3.0, 4.0]
    assert tape.times_ms("gate", [1]).tolist() == []
    at_s, took_ms = tape.timeline(LEADING, [0, 1])
    assert at_s.tolist() == [0.2, 0.2, 0.4]
    assert took_ms.tolist() == [2.0, 3.0, 4.0]


def test_tape_knows_the_slowest_parts_of_its_blocks():
    ledger = LatencyLedger((LEADING, "gate"))
    tape = Tape(ledger)
    for block, part, took in ((-1, 1, 90), (0, 2, 4), (0, 3, 7), (1, 4, 80), (0, 5, 5)):
        ledger.note(LEADING, took * MS, part)
        tape.look(block, 0.1)
    assert [(each.part_id, each.took_ms) for each in tape.slowest([0])] == [(3, 7.0), (5, 5.0), (2, 4.0)]
    assert tape.slowest([7]) == ()


def test_figures_are_percentiles_and_the_longest():
    figures = figures_of(np.arange(1.0, 102.0))
    assert (figures.count, figures.p50, figures.p99, figures.max) == (101, 51.0, 100.0, 101.0)
    assert figures_of(np.zeros(0)).count == 0


class Machine:
    """What the twin would answer."""

    def __init__(self):
        self.parts = []

    def add(self, count, *, is_bad=False, place="good bin"):
        self.parts.append(
            {"index": len(self.parts), "name": "", "is_bad": is_bad, "count": count, "place": place}
            | {"is_dropped": False}
        )

    def __call__(self, _place, _lane, _command, *, timeout_s, recent):
        return {"late_ms": 1.5, "recent": self.parts[-recent:]}


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """A station's ring with 4 parts of which the last is rejected, and the machine's word on them."""
    place = Place(tmp_path / "bus")
    ring = RingWriter(place.ring(1), 1 << 16)
    machine, station = Machine(), StationEvents()
    monkeypatch.setattr("app.bench.witness.tell_twin", machine)
    counts = []
    for destination in ("pass", "pass", "pass", "reject"):
        events = station.part(destination)
        counts.append(events[0].count)
        for event in events:
            ring.write(encode_event(event))
    witness = Witness(place, 1, 2.0)
    yield machine, witness, counts
    witness.close()
    ring.close()


def test_an_account_that_agrees_with_the_machine(scene):
    machine, witness, counts = scene
    for count in counts[:3]:
        machine.add(count - 3)
    machine.add(counts[3], is_bad=True, place="reject")
    witness.look()
    account = witness.account()
    assert (account.sent, account.triggers, account.missed, account.unaccounted) == (4, 4, 0, 0)
    assert (account.escapes, account.overkill) == (0, 0)
    assert account.outcomes == {"PASSED": 3, "REJECTED": 1}
    assert account.reasons == {"DEFECT": 1}


def test_a_part_that_the_station_did_not_see_is_missed(scene):
    machine, witness, counts = scene
    for count in (*counts[:3], counts[2] + 150):
        machine.add(count)
    machine.add(counts[3], place="reject")
    witness.look()
    account = witness.account()
    assert (account.missed, account.unaccounted, account.overkill) == (1, 1, 1)


def test_a_part_that_came_after_the_last_record_does_not_count(scene):
    machine, witness, counts = scene
    for count in (*counts[:3], counts[3] + 400):
        machine.add(count)
    machine.add(counts[3], is_bad=True, place="reject")
    witness.look()
    assert (witness.account().sent, witness.account().missed) == (4, 0)


def test_a_bad_part_in_the_good_bin_is_an_escape(scene):
    machine, witness, counts = scene
    for count in counts[:3]:
        machine.add(count, is_bad=count == counts[1])
    machine.add(counts[3], is_bad=True, place="reject")
    witness.look()
    assert witness.account().escapes == 1


def wait_until(is_so):
    end_s = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_a_busy_disk_says_what_it_has_done(tmp_path):
    load = Busy("disk", [["disk", str(tmp_path)]])
    load.start()
    pid = load._processes[0].pid
    wait_until(lambda: written_bytes(pid) > 2 << 20)
    load.stop()
    load.stop()
    assert load.done()["syncs"] > 0
    assert list(tmp_path.iterdir()) == []


def written_bytes(pid):
    said = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(said["wchar"])


def test_a_busy_processor_ends_when_it_is_told():
    load = Busy("cpu", [["cpu"]])
    load.start()
    pid = load._processes[0].pid
    wait_until(lambda: cpu_ticks(pid) > 20)
    load.stop()
    assert load.done()["rounds"] > 0
    assert not Path(f"/proc/{pid}").exists()


def cpu_ticks(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


def test_a_busy_process_does_not_outlive_whoever_started_it():
    script = (
        "import os, subprocess, sys;"
        "words = [sys.executable, '-m', 'app.bench.busy', str(os.getpid()), 'cpu'];"
        "none = subprocess.DEVNULL;"
        "print(subprocess.Popen(words, stdout=none, stderr=none).pid)"
    )
    pid = int(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout)
    wait_until(lambda: has_ended(pid))


def has_ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_recorder_that_does_not_run_is_no_trouble(tmp_path):
    load = Recording(lambda: 0, tmp_path)
    load.start()
    load.stop()
    assert load.done() == {"pictures": 0}


def test_the_blank_detector_finds_nothing_and_wants_no_golden_sample(tmp_path):
    detector = open_blank(load_package(write_package(tmp_path / "tiny")), 1, SystemClock())
    assert not detector.spec.is_golden
    assert detector.detect(blank()).detections == ()
    detector.close()
    with pytest.raises(DetectorError):
        detector.detect(blank())


def test_both_judge_every_frame_in_turn():
    seen = []
    frames = [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3), np.uint8)]
    found = compare(
        lambda frame: seen.append(("ours", frame.ndim)),
        lambda frame: seen.append(("theirs", frame.ndim)),
        frames,
        4,
        1,
        SystemClock(),
    )
    assert (found["ours"]["count"], found["theirs"]["count"]) == (4, 4)
    assert {ndim for who, ndim in seen if who == "theirs"} == {3}
    assert [who for who, _ in seen[2:6]] == ["theirs", "ours", "ours", "theirs"]


def test_a_peer_that_is_not_installed_names_its_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    with pytest.raises(MissingDriverError, match="pip install ultralytics"):
        open_ultralytics(tmp_path / "best.onnx")


def test_a_peer_without_its_model_says_which(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ultralytics", type(sys)("ultralytics"))
    with pytest.raises(DataError, match=r"best\.onnx"):
        open_ultralytics(tmp_path / "best.onnx")


def test_a_board_has_its_own_name(tmp_path):
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_bytes(b"Some Board 2\0")
    (tmp_path / "proc/meminfo").write_text("MemTotal:        8388608 kB\n")
    found = device(tmp_path)
    assert found["cpu"] == "Some Board 2"
    assert found["memory_gb"] == 8.0


def test_versions_name_the_runtime():
    assert versions("onnx")["runtime"].startswith("onnx ")
    assert "numpy" in versions()
