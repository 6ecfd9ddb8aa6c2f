"""What `takt doctor` says of a box as the place where the processes run."""

import os
import resource
from pathlib import Path

import pytest

from app.bus.place import Place
from app.cli import process_checks as checks
from app.cli.checks import Level
from app.config import load_line
from app.processes import table
from app.realtime import CAP_IPC_LOCK, Throttle
from app.setup import twin_line

ROWS = table({Path("/line.toml"): load_line(twin_line())})
FREE = resource.RLIM_INFINITY


def granted(highest=99, locked=FREE, capabilities=0, cores=(0, 1)):
    return checks.check_table(ROWS, highest, locked, capabilities, cores)


def test_what_the_processes_get_is_told():
    finding = granted(cores=range(4))

    assert finding.level is Level.OK
    assert "station FIFO 80, 70 on core 2, 3" in finding.text
    assert "capture-top FIFO 75 on core 0, 1" in finding.text


def test_a_priority_that_is_not_permitted_is_named_by_process():
    finding = granted(highest=75)

    assert finding.level is Level.WARN
    assert "station gets no FIFO 80" in finding.text
    assert "capture-top" not in finding.text
    assert "LimitRTPRIO=90" in finding.mend


def test_memory_that_cannot_be_locked_is_named_by_process():
    finding = granted(locked=8 << 20)

    assert finding.level is Level.WARN
    assert "station cannot lock its memory" in finding.text
    assert "LimitMEMLOCK=infinity" in finding.mend
    assert granted(locked=8 << 20, capabilities=1 << CAP_IPC_LOCK).level is Level.OK


@pytest.mark.parametrize(
    ("limit", "capabilities", "highest"),
    [(0, 0, 0), (50, 0, 50), (FREE, 0, 99), (0, 1 << checks.CAP_SYS_NICE, 99), (200, 0, 99)],
)
def test_the_highest_priority_comes_from_the_limit_or_a_capability(limit, capabilities, highest):
    assert checks.highest_priority(limit, capabilities) == highest


@pytest.mark.parametrize(
    ("throttle", "level"),
    [
        (Throttle(950_000, 1_000_000), Level.OK),
        (Throttle(-1, 1_000_000), Level.OK),
        (Throttle(100_000, 1_000_000), Level.WARN),
        (Throttle(0, 1_000_000), Level.WARN),
        (None, Level.OK),
    ],
)
def test_a_brake_that_holds_a_busy_line_up_is_worth_a_warning(throttle, level):
    assert checks.check_throttle(throttle).level is level


@pytest.mark.parametrize(("duty", "level"), [(0.05, Level.OK), (0.9, Level.OK), (0.97, Level.WARN)])
def test_a_brake_below_what_the_line_computes_is_worth_a_warning(duty, level):
    finding = checks.check_throttle(Throttle(950_000, 1_000_000), duty)

    assert finding.level is level
    assert f"a verdict thread takes {duty:.0%}" in finding.text


def test_a_verdict_thread_takes_a_budget_for_each_frame_at_full_speed():
    line = load_line(twin_line())

    parts_per_s = line.belt.v_max_mm_s / line.part.min_pitch_mm

    assert checks.duty_of(line) == pytest.approx(parts_per_s * line.model.verdict_ms / 1000)


@pytest.mark.parametrize(("free_mib", "level"), [(10, Level.BAD), (100, Level.WARN), (1000, Level.OK)])
def test_the_bus_needs_room(free_mib, level):
    finding = checks.check_bus(Path("/dev/shm/takt"), 2000 * checks.MIB, free_mib * checks.MIB)

    assert finding.level is level
    assert f"{free_mib} of 2000 MiB" in finding.text


def test_who_is_at_work_on_the_bus_is_named(tmp_path):
    place = Place(tmp_path)
    with place.hold("supervisor"), place.hold("lane1"):
        holders = checks.holders_at(tmp_path)

    assert holders == {"supervisor": os.getpid(), "lane1": os.getpid()}
    assert f"lane1 by process {os.getpid()}" in checks.check_holders(tmp_path, holders).text


def test_a_lock_that_nobody_holds_any_more_is_nobody_at_work(tmp_path):
    Place(tmp_path).hold("supervisor").close()

    assert checks.holders_at(tmp_path) == {}
    assert "nobody" in checks.check_holders(tmp_path, {}).text
    assert checks.holders_at(tmp_path / "nowhere") == {}


def test_looking_at_a_lock_does_not_take_it(tmp_path):
    place = Place(tmp_path)
    with place.hold("lane1"):
        pass
    checks.holders_at(tmp_path)

    place.hold("lane1").close()


def test_a_state_folder_that_cannot_be_written_is_bad(tmp_path):
    finding = checks.check_state(tmp_path, is_writable=False, ledger=tmp_path / "l", ledger_bytes=None)

    assert finding.level is Level.BAD


def test_a_ledger_is_told_with_its_size(tmp_path):
    finding = checks.check_state(tmp_path, is_writable=True, ledger=tmp_path / "l", ledger_bytes=3 * checks.MIB)

    assert "3.0 MiB" in finding.text
    new = checks.check_state(tmp_path, is_writable=True, ledger=tmp_path / "l", ledger_bytes=None)
    assert "no ledger yet" in new.text


def test_a_folder_that_does_not_exist_yet_counts_as_the_one_above_it(tmp_path):
    (tmp_path / "file").touch()

    assert checks.is_writable(tmp_path / "a" / "b")
    assert not checks.is_writable(tmp_path / "file" / "b")
    assert checks.room_at(tmp_path / "a" / "b")[0] > 0


def test_the_doctor_tells_of_the_processes(takt):
    document, _ = takt.json("doctor")

    topics = {each["topic"] for each in document["findings"]}
    assert {"Processes", "Real-time brake", "Bus", "Bus in use", "State"} <= topics
