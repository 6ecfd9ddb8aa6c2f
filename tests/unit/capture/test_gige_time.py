"""Numbers and times of a GigE Vision camera."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.capture.gige.time_map import PATH_NS, BlockCounter, HostTime
from app.clock import NS_PER_MS, NS_PER_S


def numbers(blocks):
    counter = BlockCounter()
    return [counter.number(block) for block in blocks]


def test_blocks_are_counted_from_one():
    assert numbers([65401, 65402, 65403]) == [1, 2, 3]


def test_sixteen_bits_wrap_to_one():
    assert numbers([65534, 65535, 1, 2]) == [1, 2, 3, 4]


def test_lost_blocks_take_their_numbers_with_them_across_the_wrap():
    assert numbers([65533, 65535, 3]) == [1, 3, 6]


def test_late_block_gets_its_own_number_and_the_count_goes_on():
    assert numbers([10, 12, 11, 13]) == [1, 3, 2, 4]


def test_long_numbers_of_gige_vision_2_do_not_wrap():
    assert numbers([65535, 65536, 65537, 70_000]) == [1, 2, 3, 4466]


def test_block_without_a_number_has_none():
    assert numbers([7, 0, 8]) == [1, None, 2]


@given(st.integers(1, 65535), st.lists(st.integers(1, 30_000), min_size=1, max_size=50))
def test_count_grows_as_the_camera_counts(first, steps):
    truth, blocks = [1], [first]
    for step in steps:
        truth.append(truth[-1] + step)
        blocks.append((first + truth[-1] - 2) % 65535 + 1)

    assert numbers(blocks) == truth


def shots(offset_ns, *, drift_ppm=0.0, seed=1, count=200):
    """Triggered exposures 20 ms apart: when sent, when begun, the camera's stamp, when the first packet came."""
    chance = random.Random(seed)
    for n in range(count):
        sent = NS_PER_S + n * 20 * NS_PER_MS
        begun = sent + chance.randint(20_000, 3 * NS_PER_MS)
        stamp = round((begun - NS_PER_S) * (1 + drift_ppm * 1e-6)) + offset_ns
        yield sent, begun, stamp, begun + chance.randint(100_000, 4 * NS_PER_MS)


@pytest.mark.parametrize("offset_ns", [1, 10**18, 17 * NS_PER_S])
def test_exposure_of_a_command_is_placed_within_its_uncertainty(offset_ns):
    time = HostTime()
    for sent, begun, stamp, came in shots(offset_ns):
        host, uncertainty = time.place(stamp, sent, came)
        assert abs(host - begun) <= uncertainty

    assert uncertainty < 300_000


def test_clocks_that_drift_apart_stay_within_the_uncertainty():
    time = HostTime()
    for sent, begun, stamp, came in shots(5 * NS_PER_S, drift_ppm=60, count=2000):
        host, uncertainty = time.place(stamp, sent, came)
        assert abs(host - begun) <= uncertainty + 1

    assert uncertainty < NS_PER_MS


def test_free_running_camera_is_placed_by_its_quickest_packets():
    time = HostTime()
    placed = [(begun, *time.place(stamp, None, came)) for _, begun, stamp, came in shots(3 * NS_PER_S)]

    begun, host, uncertainty = placed[-1]
    assert uncertainty == PATH_NS // 2
    assert abs(host - begun) <= uncertainty


def test_no_exposure_is_placed_before_its_trigger():
    time = HostTime()
    for sent, _, stamp, came in shots(3 * NS_PER_S):
        host, uncertainty = time.place(stamp, sent, came)
        assert host - uncertainty >= sent


def test_camera_clock_that_was_set_anew_is_learnt_anew():
    time = HostTime()
    for sent, _, stamp, came in shots(50 * NS_PER_S):
        time.place(stamp, sent, came)
    for sent, begun, stamp, came in shots(1):
        host, uncertainty = time.place(stamp, sent, came)
        assert abs(host - begun) <= uncertainty


def test_camera_clock_that_jumped_ahead_is_learnt_anew():
    time = HostTime()
    for sent, _, stamp, came in shots(1, count=20):
        time.place(stamp, sent, came)
    sent, begun, stamp, came = next(iter(shots(5 * NS_PER_S, seed=3, count=1)))

    host, uncertainty = time.place(stamp, sent, came)

    assert abs(host - begun) <= uncertainty
