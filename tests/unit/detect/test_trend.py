"""Whether a detector that grows slow is found in time, and one that does not is left alone."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.detect.trend import MOST_IN_TAIL, WINDOW, Envelope, SlowTrend, envelope_of
from app.errors import DetectorError

MS = 1_000_000
NOISES = {
    "5%": lambda rng, n: rng.normal(1, 0.05, n),
    "20%": lambda rng, n: np.exp(rng.normal(0, 0.2, n)),
    "30%": lambda rng, n: np.exp(rng.normal(0, 0.3, n)),
    "a tail": lambda rng, n: 1 + rng.exponential(0.15, n),
    "one in twenty 3 times as long": lambda rng, n: np.where(rng.random(n) < 0.05, 3, 1) * rng.normal(1, 0.05, n),
}
RUNS, LENGTH, BURST = 20, 1_000, 200


def times(noise, rng, count, factor=1.0):
    return (NOISES[noise](rng, count) * factor * MS).astype(int).tolist()


def proven(noise, seed):
    """A trend with the envelope of a burst, and the generator that goes on from there."""
    rng = np.random.default_rng(seed)
    return SlowTrend(envelope_of(times(noise, rng, BURST))), rng


def first_alarm(trend, taken):
    """After how many inferences the trend is slow; `None`: never."""
    return next((count for count, took_ns in enumerate(taken, 1) if trend.note(took_ns)), None)


@pytest.mark.parametrize("noise", NOISES)
def test_noise_that_was_there_at_the_proof_raises_no_alarm(noise):
    alarms = 0
    for seed in range(RUNS):
        trend, rng = proven(noise, seed)
        alarms += first_alarm(trend, times(noise, rng, LENGTH)) is not None

    assert alarms == 0


@pytest.mark.parametrize(
    ("noise", "within"), [("5%", 24), ("a tail", 40), ("one in twenty 3 times as long", 40), ("20%", 64), ("30%", 80)]
)
def test_half_as_long_again_is_found_soon(noise, within):
    for seed in range(RUNS):
        trend, rng = proven(noise, seed)
        assert first_alarm(trend, times(noise, rng, WINDOW)) is None

        found = first_alarm(trend, times(noise, rng, 200, 1.5))

        assert found is not None
        assert found <= within


@pytest.mark.parametrize("seed", range(5))
def test_a_slow_climb_is_found_long_before_it_has_doubled(seed):
    trend, rng = proven("5%", seed)
    climb = np.linspace(1, 2, 2_000)
    taken = (np.asarray(times("5%", rng, 2_000)) * climb).astype(int).tolist()

    found = first_alarm(trend, taken)

    assert found is not None
    assert 1.15 < climb[found] < 1.35


def test_every_third_inference_being_slow_is_found_though_the_median_stays():
    trend = SlowTrend(Envelope(MS, MS + 1))

    found = first_alarm(trend, [3 * MS if index % 3 == 0 else MS for index in range(WINDOW)])

    assert found is not None
    assert trend.pace().p50_ns == MS


@given(st.sets(st.integers(0, WINDOW - 1), max_size=MOST_IN_TAIL), st.integers(0, 1 << 62))
def test_single_long_times_never_raise_an_alarm(places, took_ns):
    trend = SlowTrend(Envelope(MS, MS))
    taken = [took_ns if place in places else MS for place in range(WINDOW)]

    assert first_alarm(trend, taken * 3) is None


@given(st.integers(0, 1 << 32), st.integers(0, 3 * WINDOW))
def test_the_counts_are_those_of_the_last_window(seed, count):
    taken = np.random.default_rng(seed).integers(0, 1 << 62, count).tolist()
    trend = SlowTrend(Envelope(1 << 60, 1 << 61))
    for took_ns in taken:
        trend.note(took_ns)
    last = taken[-WINDOW:]

    pace = trend.pace()

    assert pace.count == len(last)
    assert pace.above == sum(took_ns > 5 << 58 for took_ns in last)
    assert pace.in_tail == sum(took_ns > 1 << 61 for took_ns in last)


def test_once_slow_it_stays_so_until_a_new_proof():
    trend = SlowTrend(Envelope(MS, 2 * MS))
    first_alarm(trend, [3 * MS] * WINDOW)
    for _ in range(2 * WINDOW):
        trend.note(MS)

    assert trend.is_slow
    trend.reset(Envelope(3 * MS, 3 * MS))
    assert not trend.is_slow
    assert first_alarm(trend, [3 * MS] * WINDOW) is None


def test_what_is_slow_is_told_with_its_figures():
    trend = SlowTrend(Envelope(MS, 2 * MS))
    before = trend.in_words()
    first_alarm(trend, [3 * MS] * WINDOW)

    assert before == ""
    assert trend.in_words() == (
        "the last 17 inferences took 3.00 ms in the middle, 3.00 times the 1.00 ms of its proof, 17 of them more than"
        " 2.00 ms"
    )


def test_nothing_was_noted_yet():
    assert SlowTrend(Envelope(MS, MS)).pace().count == 0


def test_noting_allocates_nothing():
    trend = SlowTrend(Envelope(MS, MS))
    taken = [MS + index for index in range(WINDOW)]
    for took_ns in taken:
        trend.note(took_ns)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(20):
        for took_ns in taken:
            trend.note(took_ns)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert after - before < 512
    assert peak - before < 2_048


@pytest.mark.parametrize(("p50_ns", "p99_ns"), [(0, 5), (-1, 5), (5, 4)])
def test_an_envelope_that_cannot_be_is_refused(p50_ns, p99_ns):
    with pytest.raises(DetectorError, match="prove it again"):
        Envelope(p50_ns, p99_ns)


def test_too_few_inferences_make_no_envelope():
    with pytest.raises(DetectorError, match="time 20 or more"):
        envelope_of([MS] * 19)


def test_an_envelope_is_median_and_99th_percentile():
    assert envelope_of(range(1, 202)) == Envelope(101, 199)
