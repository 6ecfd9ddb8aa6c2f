import numpy as np
import pytest

from app.clock import NS_PER_MS, VirtualClock
from app.detect.registration import Registrar
from models.evaluation.speed import Lap, Runner, time_in_turn
from tests.unit.detect.boards import board, view


@pytest.fixture
def clock():
    return VirtualClock()


def runner(clock, name, told, milliseconds=1.0, *, is_golden=False):
    """A model that takes as long as it says."""

    def run(_image, golden):
        told.append((name, golden is not None))
        clock.advance_to(clock.now_ns() + round(milliseconds * NS_PER_MS))

    return Runner(1, is_golden, run)


def laps(count):
    return [Lap({1: np.zeros((8, 8), np.uint8)}, {}) for _ in range(count)]


def test_models_take_turns_and_each_goes_first_in_its_turn(clock):
    told = []
    time_in_turn([runner(clock, name, told) for name in "abc"], laps(3), clock)
    assert "".join(name for name, _ in told) == "abcbcacab"


def test_times_are_each_models_own(clock):
    first, second = time_in_turn([runner(clock, "a", [], 2.0), runner(clock, "b", [], 5.0)], laps(4), clock)
    assert (first.p50_ms, first.p99_ms, second.p50_ms, first.pictures) == (2.0, 2.0, 5.0, 4)
    assert first.registration_p50_ms == 0.0


def test_golden_sample_is_registered_for_the_model_that_compares(clock):
    told = []
    golden = view(board())
    lap = Lap({1: view(board(), 3, 2)}, {1: Registrar(golden, 12)})
    time_in_turn([runner(clock, "a", told, is_golden=True), runner(clock, "b", told)], [lap], clock)
    assert told == [("a", True), ("b", False)]


def test_part_that_cannot_be_registered_costs_no_inference(clock):
    told = []
    lap = Lap({1: view(board(), 30, 0)}, {1: Registrar(view(board()), 12)})
    (speed,) = time_in_turn([runner(clock, "a", told, is_golden=True)], [lap], clock)
    assert told == []
    assert speed.pictures == 1


def test_progress_is_told_picture_by_picture(clock):
    told = []
    time_in_turn([runner(clock, "a", [])], laps(2), clock, lambda done, every: told.append((done, every)))
    assert told == [(1, 2), (2, 2)]
