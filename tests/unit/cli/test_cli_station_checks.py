"""What `takt doctor` tells of the stations that run: who judges, why, since when, and how the accelerator is."""

from dataclasses import replace

import pytest

from app.bus.block import BlockWriter
from app.bus.place import Place
from app.cli.checks import Level
from app.cli.station_checks import OLD_NS, check_judge, check_report, check_stations, check_unused
from app.clock import NS_PER_S
from app.health import Health
from app.health.report import BLOCK, BLOCK_BYTES, Report, Served, encode_report
from app.status import AcceleratorStatus, State, Status, encode_status
from app.types import Tally

NOW_NS = 10_000 * NS_PER_S
JUDGES = AcceleratorStatus(
    "trusted", "", NOW_NS - 90 * NS_PER_S, "tensorrt", "openvino", 1, 2, slice_ms=2.6, standby_ms=2.4
)
SERVED = Served(1, "pcb-golden", "accelerator-fp16", "tensorrt", 0.61)


def status(accelerator):
    return Status(
        State.RUNNING, "", 0, NOW_NS, Tally(), "L", package="pcb-golden", runtime="tensorrt", accelerator=accelerator
    )


def away(phase="away", **more):
    why = "accelerator gone: its process has ended"
    return AcceleratorStatus(phase, why, NOW_NS - 3_900 * NS_PER_S, "tensorrt", "openvino", 3, 2, **more)


def report(**health):
    return Report(
        NOW_NS,
        NOW_NS - 5 * NS_PER_S,
        is_serving=True,
        serves=(SERVED,),
        health=Health("fake", NOW_NS, "Orin", **health),
    )


def test_accelerator_that_judges_is_named_with_its_runtime_and_since_when():
    found = check_judge(status(JUDGES), NOW_NS)
    assert (found.level, found.topic) == (Level.OK, "Lane 1, judge")
    assert "the accelerator on tensorrt since 1 min 30 s: 2.6 ms for a part" in found.text


def test_standby_that_judges_is_told_with_the_reason():
    found = check_judge(status(away()), NOW_NS)
    assert found.level is Level.WARN
    assert "the standby on openvino; the accelerator is away since 1 h 5 min: accelerator gone" in found.text
    assert "by itself" in found.mend


def test_parked_accelerator_is_told_with_the_command_that_helps():
    assert "takt line unpark --lane 1" in check_judge(status(away("parked")), NOW_NS).mend


def test_speed_that_is_asked_for_is_told():
    assert "run the belt at 400 mm/s at most" in check_judge(status(away(asks_mm_s=400.0)), NOW_NS).text


def test_build_that_is_not_used_is_told_with_what_to_run():
    stale = "the build of pcb as standby of 2026-11-20 14:30 was made with onnxruntime 1; run: takt models build"
    missed = "standby-int8 on onnx did not pass the build of 2026-11-20 14:30: a score is off by 0.41"
    found = list(check_unused(replace(status(JUDGES), unused=(stale, missed))))
    assert [each.level for each in found] == [Level.WARN, Level.OK]
    assert [each.text for each in found] == [stale, missed]
    assert "start the station" in found[0].mend
    assert list(check_unused(status(None))) == []


def test_lane_without_an_accelerator_is_in_order():
    assert check_judge(status(None), NOW_NS).level is Level.OK


def test_device_is_told_with_heat_clock_and_mode():
    found = check_report(report(temperature_c=61.0, clock_mhz=918.0, power_mode="MAXN", throttling=()), NOW_NS)
    assert found.level is Level.OK
    assert "serves lane 1: accelerator-fp16 on tensorrt, since 5 s; Orin, 61 °C, 918 MHz, mode MAXN" in found.text


def test_device_that_is_slowed_is_worth_a_warning():
    found = check_report(report(throttling=("it is too hot",)), NOW_NS)
    assert (found.level, "it is too hot" in found.text) == (Level.WARN, True)


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path / "bus")
    for path, size, said in (
        (place.status(1), 32 * 1024, encode_status(status(JUDGES))),
        (place.root / BLOCK, BLOCK_BYTES, encode_report(report())),
    ):
        block = BlockWriter(path, size)
        block.write(said)
        block.close()
    return place


def test_what_runs_is_read_from_the_bus(place):
    topics = [each.topic for each in check_stations(place, [1, 2], NOW_NS)]
    assert topics == ["Lane 1, judge", "Accelerator at work"]


def test_words_of_processes_that_have_ended_are_left_out(place):
    assert list(check_stations(place, [1], NOW_NS + OLD_NS + 1)) == []


def test_box_on_which_nothing_runs_is_in_order(tmp_path):
    assert list(check_stations(Place(tmp_path / "empty", make=False), [1], NOW_NS)) == []


def test_blocks_that_are_none_are_left_out(place):
    for path, size in ((place.status(1), 32 * 1024), (place.root / BLOCK, BLOCK_BYTES)):
        block = BlockWriter(path, size)
        block.write(b"{}")
        block.close()
    assert list(check_stations(place, [1], NOW_NS)) == []
