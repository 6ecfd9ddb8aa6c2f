"""The accelerator's process as a station meets it: proven, killed, hung, distrusted, and back again."""

import signal

import pytest

from app.bus.exchange import ExchangeClient
from app.clock import NS_PER_S, SystemClock
from app.detect.attachment import shown_frames
from app.detect.package import load_package
from app.detect.runtimes import open_detector
from app.detect.standby import slowest_of
from tests.contract.accelerator_rig import rig_of
from tests.contract.bus_peers import PATIENCE_S, eventually
from tests.unit.detect.tiny_model import read, tiny_onnx, write_package


@pytest.fixture
def rig():
    with rig_of() as rig:
        yield rig


@pytest.fixture
def at_work(rig):
    """The accelerator is trusted and has judged a picture."""
    rig.start()
    rig.station()
    rig.trusted()
    assert rig.judge() == (["left"], "accelerator")
    return rig


def test_killed_accelerator_loses_no_picture_and_its_successor_is_trusted(at_work):
    at_work.process.kill()
    at_work.process.wait()
    assert at_work.judge() == (["left"], "standby")
    assert "accelerator gone" in at_work.both.why
    assert at_work.both.failovers == 1
    at_work.end()
    at_work.start()
    at_work.trusted()
    assert at_work.judge() == (["left"], "accelerator")


def test_hung_accelerator_is_late_and_what_it_still_owes_is_never_taken_for_an_answer(at_work):
    at_work.process.send_signal(signal.SIGSTOP)
    assert at_work.judge() == (["left"], "standby")
    assert "accelerator late: no answer within 500.0 ms" in at_work.both.why
    assert at_work.judge() == (["left"], "standby")
    at_work.process.send_signal(signal.SIGCONT)
    code, said = at_work.end()
    assert code != 0, "whoever started it starts it again"
    assert "lane 1 does not trust the accelerator: accelerator late" in said
    at_work.start()
    at_work.trusted()
    assert at_work.judge() == (["left"], "accelerator")


def test_station_that_starts_first_judges_alone_until_the_accelerator_is_there(rig):
    rig.station()
    assert rig.judge() == (["left"], "standby")
    rig.start()
    rig.trusted()
    assert rig.judge() == (["left"], "accelerator")


def test_station_that_starts_again_finds_the_same_accelerator(at_work):
    at_work.both.close()
    at_work.station()
    at_work.trusted()
    assert at_work.judge() == (["left"], "accelerator")


def test_accelerator_ends_when_it_is_asked_to(at_work):
    at_work.process.terminate()
    code, _ = at_work.end()
    assert code == 0
    assert at_work.judge() == (["left"], "standby")


def test_model_that_is_not_proven_is_never_offered(rig):
    rig.station()
    write_package(rig.package, tiny_onnx(fault="nan"))
    rig.start()
    code, said = rig.end()
    assert code != 0
    assert "no model of package package is proven on the accelerator" in said
    assert not ExchangeClient(rig.place.exchange(1)).is_ready


def test_another_model_than_the_stations_is_not_trusted(rig):
    rig.station()
    write_package(rig.package, tiny_onnx(index_type=7))
    rig.start()
    eventually(lambda: rig.both.curtain.step() or "runs another model than package" in rig.both.why)
    assert rig.judge() == (["left"], "standby")


def test_two_accelerators_are_one_too_many(at_work):
    first = at_work.process
    at_work.start()
    code, said = at_work.end()
    assert code != 0
    assert f"is being written by process {first.pid}" in said
    at_work.process = first
    assert at_work.judge() == (["left"], "accelerator")


def test_frames_are_read_once_and_the_slowest_time_is_a_time(rig):
    package = load_package(rig.package)
    frames = shown_frames(package, read)
    assert [each.image.shape for each in frames] == [(24, 32)] * len(package.frames)
    detector = open_detector(package, "onnx", threads=1)
    assert 0 < slowest_of(detector, frames, SystemClock(), samples=3, rounds=1) < PATIENCE_S * NS_PER_S
    detector.close()
