"""What is not as it should be around a line that runs, or that is to start: refused in words, or survived."""

import os
import random
import resource
import signal
import socket
import sqlite3
import stat
import time
from contextlib import closing

import pytest

from app.bus.commands import Request
from app.bus.place import Place
from app.errors import LineError
from app.twin.link import LinkFactory
from app.types import EventKind
from tests.live.audit import Witness, audit
from tests.live.box import LESS_WORK, NEVER_TIRED, Box, line_file, wait_until

SMALL_RING = "\n[storage]\nring_mb = 1\n"
MOST_REQUESTS = 20_000
LEAST_FILE_BYTES = 64 << 10
PARTS = 3


def sentence(result):
    """The one line with which a command ends that refuses."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("takt: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]


def process(box, kind, *words):
    """What one row of the table says when it is started once more."""
    where = ("--bus", box.place.root, "--state", box.state_folder)
    return box.takt("process", kind, "--line", box.lines[0], *where, *words)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A line that every test here leaves as it is."""
    folder = tmp_path_factory.mktemp("running")
    box = Box([line_file(folder / "line", {**LESS_WORK, **NEVER_TIRED})], folder / "box")
    try:
        box.start_rows("twin", "capture", "recorder", "station")
        wait_until(lambda: box.status().tally.passed >= PARTS, "parts are judged")
        yield box
    finally:
        box.close()


def goes_on(box):
    before = box.status().tally.triggers
    wait_until(lambda: box.status().tally.triggers > before + PARTS, "parts go on")
    return box.is_running() and box.status().epoch == 1


# A second of what there can be only one of


@pytest.mark.parametrize(("kind", "lock"), [("station", "lane1.lock"), ("recorder", "recorder.lock")])
def test_a_second_process_of_a_row_is_refused_with_the_first_ones_number(running, kind, lock):
    second = process(running, kind)

    assert second.returncode == 11
    assert lock in sentence(second)
    assert f"process {running.pid(kind)}" in sentence(second)
    assert goes_on(running)


def test_a_second_box_on_the_same_pins_is_refused_with_the_first_ones_number(running):
    with pytest.raises(LineError, match=f"process {running.pid('station')}"):
        LinkFactory(Place(running.place.root))

    assert goes_on(running)


def test_a_port_in_use_is_refused_in_words_and_the_line_goes_on(running):
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        page = process(running, "web", "--port", port)

    assert page.returncode in range(2, 13)
    assert str(port) in sentence(page)
    assert goes_on(running)


# What a crash leaves behind


def test_a_bus_full_of_garbage_is_made_anew_and_nothing_is_unaccounted(make_box):
    box = make_box()
    box.start()
    witness = Witness(box)
    box.run_on()
    wait_until(lambda: witness.look() and box.status().tally.passed >= PARTS, "parts are judged")
    station = box.pid("station")
    box.freeze_supervisor()
    os.kill(station, signal.SIGKILL)
    wait_until(lambda: _is_recorded(box), "the recorder has everything")
    box.crash()
    chance = random.Random(7)
    for number, each in enumerate(sorted(box.place.root.iterdir())):
        if stat.S_ISREG(each.stat().st_mode):
            each.write_bytes([b"", b"\0" * 100, chance.randbytes(each.stat().st_size or 9)][number % 3])

    box.start()
    witness.forget()
    box.run_on()
    wait_until(lambda: witness.look() and box.status().tally.passed >= PARTS, "parts are judged again")
    box.stop()

    assert box.status().epoch == 2
    assert audit(box, witness)


def _is_recorded(box):
    from app.bus.ring import RingReader

    reader = RingReader(box.place.ring(1), keeper=False, name="test", from_oldest=True)
    try:
        return not reader.read()
    finally:
        reader.close()


# Disks


def test_a_state_folder_that_cannot_be_written_is_refused_in_words(make_box):
    box = make_box()
    box.folder.mkdir()
    (box.folder / "file").write_text("no folder")
    where = ("--bus", box.place.root, "--state", box.folder / "file" / "state", "--port", 0)

    refused = box.takt("run", "--line", box.lines[0], *where)

    assert refused.returncode in range(2, 13)
    assert str(box.folder / "file") in sentence(refused)


@pytest.fixture
def small(make_box):
    """A box with room for few events, and its bad days begin with `fill`."""
    box = make_box({'schema = 1\nrecipe = "recipe.toml"\n': f'schema = 1\nrecipe = "recipe.toml"\n{SMALL_RING}'})
    yield box
    for name in box.rows:
        if box.pid(name):
            os.kill(box.pid(name), signal.SIGCONT)


def fill(box):
    """Has the station record more and more until it stops the line for it; nobody waits for its answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as requests:
        requests.connect(str(box.place.commands(1)))
        for number in range(MOST_REQUESTS):
            request = Request(command="serial", part_id=1, serial=f"{number:064d}")
            requests.send(request.model_dump_json().encode())
            if number % 100 == 0 and any(latch.cause == "LEDGER_FULL" for latch in box.status().latches):
                return
    pytest.fail(f"the line never stopped: {box.status()}")


def is_sound(box):
    verified = box.takt("ledger", "verify", "--state", box.state_folder)
    assert verified.returncode == 0, verified.stderr


def test_a_recorder_that_does_not_keep_up_stops_the_line_before_an_event_is_lost(small):
    small.start_rows("twin", "capture", "recorder", "station")
    os.kill(small.pid("recorder"), signal.SIGSTOP)

    fill(small)
    refused = small.ask("reset", role="lead", reason="too early", is_cleared=True)
    os.kill(small.pid("recorder"), signal.SIGCONT)

    wait_until(lambda: small.status().ring_share < 0.5, "the recorder catches up")
    assert not refused.ok
    assert "LEDGER_FULL" in refused.what
    assert small.run_on()
    assert goes_on(small)
    _end(small)
    is_sound(small)


def test_a_full_disk_stops_the_line_before_an_event_is_lost_and_room_lets_it_go_on(small):
    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (LEAST_FILE_BYTES, resource.RLIM_INFINITY))

    small.start_row("twin")
    small.start_row("recorder", prepare=no_room)
    wait_until((small.place.root / "twin1.control").exists, f"the machine is there: {small.words}")
    small.start_row("capture")
    small.start_row("station")
    wait_until(lambda: small.status() is not None, f"the station is there: {small.words}")

    fill(small)
    everything = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(small.pid("recorder"), resource.RLIMIT_FSIZE, everything)

    wait_until(lambda: small.status().ring_share < 0.5, "the recorder catches up")
    assert small.run_on()
    assert goes_on(small)
    _end(small)
    is_sound(small)


# Damage


def test_one_flipped_byte_of_the_ledger_is_named_by_segment_and_row(running, tmp_path):
    copy = tmp_path / "ledger" / "ledger.sqlite"
    copy.parent.mkdir()
    with (
        closing(sqlite3.connect(running.state_folder / "ledger" / copy.name)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    whole = running.takt("ledger", "verify", "--state", tmp_path)
    wrong = running.entries(EventKind.TRIGGER)[1]
    content = bytearray(copy.read_bytes())
    key = b'"trigger_ns":'
    at = content.index(key + str(wrong.event.data["trigger_ns"]).encode()) + len(key)
    content[at] = ord("1") if content[at] != ord("1") else ord("2")
    copy.write_bytes(content)

    damaged = running.takt("ledger", "verify", "--state", tmp_path)

    assert whole.returncode == 0, whole.stderr
    assert damaged.returncode == 1
    assert "segment 1" in sentence(damaged)
    assert f"row {wrong.row}" in sentence(damaged)


def _end(box):
    """Ends station and recorder as systemd does."""
    for name in ("station", "recorder"):
        os.kill(box.pid(name), signal.SIGTERM)
        end_s = time.monotonic() + 10
        while box.pid(name):
            assert time.monotonic() < end_s
            time.sleep(0.01)
