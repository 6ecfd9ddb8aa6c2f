"""The runtime that goes wrong when it is told to, and where it may be named."""

import signal

import numpy as np
import pytest

from app.bus.exchange import ExchangeServer
from app.clock import SystemClock
from app.config import Line
from app.detect import sick
from app.detect.package import load_package
from app.detect.prepare import Preparation, input_bytes
from app.detect.serving import answer_bytes
from app.detect.sickness import FAULTS, MANY, Act, Load, Sickness
from app.errors import BusError, ConfigError, DetectorError, MissingDriverError, PackageError, UsageError
from app.setup import load_setup, twin_line
from app.toml import validated
from tests.unit.detect.tiny_model import blank, with_spot, write_package


@pytest.fixture
def sickness(tmp_path):
    sickness = Sickness(tmp_path / "sickness")
    yield sickness
    sickness.close()


@pytest.fixture
def ward(tmp_path, sickness, monkeypatch):
    ward = Ward(tmp_path, sickness)
    monkeypatch.setattr(sick, "_end", ward.ends.append)
    yield ward
    ward.exchange.close()


class Ward:
    """An exchange with a question that waits, and the signals that the engine would have sent itself."""

    def __init__(self, folder, sickness):
        self.package = load_package(write_package(folder / "package"))
        self.exchange = ExchangeServer(folder / "exchange", input_bytes(self.package.spec), answer_bytes(self.package))
        self.ends = []
        self._folder = folder
        self._sickness = sickness

    def open(self):
        clock, preparation = SystemClock(), Preparation(self.package.spec, self.exchange.input)
        return sick.open_sick(self.package, 1, clock, preparation, self.exchange, self._folder / "sickness")

    def asks(self, cut_off_ns=0):
        """A question waits from now on."""
        self.exchange.asked = lambda: cut_off_ns


def test_all_is_well_while_nothing_was_injected(ward):
    detector = ward.open()
    ward.asks()
    assert [each.label for each in detector.detect(with_spot(20, 10), blank()).detections] == ["right"]


def test_fault_meets_a_question_and_not_the_warming_up(ward, sickness):
    sickness.strike("driver")
    detector = ward.open()
    detector.detect(blank(), blank())
    ward.asks()
    with pytest.raises(DetectorError, match="CUDA error 700"):
        detector.detect(blank(), blank())
    detector.detect(blank(), blank())
    assert sickness.is_over


def test_fault_waits_for_its_request_and_tells_when_it_came_and_what_it_missed(ward, sickness):
    detector = ward.open()
    sickness.strike("driver", after=2)
    ward.asks(cut_off_ns=77)
    for _ in range(2):
        detector.detect(blank(), blank())
    assert (sickness.fired, sickness.fired_ns) == (0, 0)
    with pytest.raises(DetectorError):
        detector.detect(blank(), blank())
    assert (sickness.fired, sickness.cut_off_ns) == (1, 77)
    assert sickness.fired_ns > 0


@pytest.mark.parametrize("kind", ["nan", "flip"])
def test_answer_that_is_no_answer_means_nothing_to_whoever_reads_it(ward, sickness, kind):
    detector = ward.open()
    sickness.strike(kind)
    ward.asks()
    with pytest.raises(DetectorError, match="the model gave"):
        detector.detect(with_spot(20, 10), blank())


def test_lie_leaves_out_the_best_finding_and_nothing_else_shows(ward, sickness):
    detector = ward.open()
    both = np.maximum(with_spot(20, 10, 250), with_spot(3, 3, 240))
    ward.asks()
    assert [each.label for each in detector.detect(both, blank()).detections] == ["right", "left"]
    sickness.strike("lie")
    assert [each.label for each in detector.detect(both, blank()).detections] == ["left"]


def test_kill_and_hang_are_signals_to_itself(ward, sickness):
    detector = ward.open()
    ward.asks()
    for kind in ("kill", "hang"):
        sickness.strike(kind)
        detector.infer()
    assert ward.ends == [signal.SIGKILL, signal.SIGSTOP]


def test_torn_one_has_written_its_answer_and_not_said_so(ward, sickness):
    detector = ward.open()
    detector.detect(with_spot(20, 10), blank())
    sickness.strike("torn")
    ward.asks()
    detector.infer()
    assert ward.ends == [signal.SIGKILL]
    assert np.any(ward.exchange.output)


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("oom", DetectorError, "812 MiB and the device has 96 MiB"),
        ("library", MissingDriverError, "libnvinfer"),
        ("engine", PackageError, "built by version 10.3"),
        ("gone", DetectorError, "no CUDA-capable device"),
    ],
)
def test_fault_at_a_start_keeps_it_from_starting_so_many_times(ward, sickness, kind, error, said):
    sickness.strike(kind)
    for _ in range(FAULTS[kind].loads):
        with pytest.raises(error, match=said):
            ward.open()
    ward.open()


def test_fault_that_ends_with_its_process_is_gone_at_the_next_start(ward, sickness):
    sickness.strike("slow-x10")
    ward.open()
    assert sickness.is_over


def test_gap_lets_some_requests_through_between_two_failures(sickness):
    sickness.strike("promotion")
    acts = [sickness.at_request(1, 2) for _ in range(5)]
    assert acts == [Act.KILL, *[Act.NOTHING] * FAULTS["promotion"].gap, Act.KILL, Act.NOTHING]


def test_healed_is_well_at_once(sickness):
    sickness.strike("gone")
    sickness.heal()
    assert (sickness.at_request(1, 2), sickness.at_start(), sickness.is_over) == (Act.NOTHING, Load.NOTHING, True)


def test_words_outlive_who_wrote_them(tmp_path, sickness):
    sickness.strike("lie")
    other = Sickness(tmp_path / "sickness")
    assert [other.at_request(1, 2) for _ in range(MANY + 1)] == [Act.LIE] * MANY + [Act.NOTHING]
    other.close()


def test_kind_that_there_is_none_of_is_refused(sickness):
    with pytest.raises(UsageError, match="there is no fault 'flu'; use one of kill, hang"):
        sickness.strike("flu")


def test_file_that_is_something_else_is_refused(tmp_path):
    (tmp_path / "other").write_bytes(b"short")
    with pytest.raises(BusError, match="holds no sickness"):
        Sickness(tmp_path / "other")


def test_line_with_a_real_camera_is_refused_with_it():
    line = load_setup(twin_line()).line
    values = line.model_dump(by_alias=True, exclude_none=True)
    values["model"] |= {"accelerator": "sick", "standby": "none"}
    assert validated(Line, values, "line").model.accelerator == "sick"
    values["camera"] = [values["camera"][0] | {"driver": "folder", "source": "pictures"}]
    with pytest.raises(ConfigError, match="accelerator = sick fails when it is told to"):
        validated(Line, values, "line")
