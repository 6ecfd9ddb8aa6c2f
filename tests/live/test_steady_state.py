"""What the hot loop leaves behind frame after frame: nothing."""

import gc
import sys
import tracemalloc

import pytest

from tests.live.shift import Shift, handles

SHORT_FRAMES, LONG_FRAMES = 400, 100_000
MOST_BLOCKS = 150
"""Of the interpreter's objects, however many frames: parts about the belt differ from one moment to the next."""

FREE_TUPLES = 2_000
LONGEST_FREE_TUPLE = 20
"""The interpreter keeps so many tuples of each length up to this when they are freed, and allocates no fewer for it."""

MOST_BYTES = 4 << 10
FINDING_BYTES = 1 << 10
FRAMES = 60


@pytest.fixture
def no_collector():
    """The station's collector does not run: a cycle of objects would stay for ever."""
    gc.collect()  # which also frees the freed tuples, so they come after it
    gc.disable()
    for length in range(1, LONGEST_FREE_TUPLE + 1):
        held = [tuple([None] * length) for _ in range(FREE_TUPLES)]
        del held
    yield
    gc.enable()


def test_no_object_stays_behind_however_many_frames_are_judged(no_collector, is_long):
    frames = LONG_FRAMES if is_long else SHORT_FRAMES
    shift, seen = Shift(), []

    def note(triggers):
        if triggers >= frames * (len(seen) + 1) / 4:
            seen.append((sys.getallocatedblocks(), handles()))

    try:
        shift.run(frames, note)
    finally:
        shift.close()

    assert seen[-1][0] - seen[0][0] <= MOST_BLOCKS, seen
    assert seen[-1][1] == seen[0][1]


def test_no_buffer_over_four_kilobytes_is_made_for_a_frame():
    shift = Shift()
    serve, peaks = shift.station.serve, []

    def measured(name):
        if not tracemalloc.is_tracing():
            return serve(name)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        is_any = serve(name)
        if is_any:
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
        return is_any

    def watch(triggers):
        if triggers >= FRAMES and not tracemalloc.is_tracing():
            tracemalloc.start()

    shift.station.serve = measured
    try:
        shift.run(2 * FRAMES, watch)
    finally:
        tracemalloc.stop()
        shift.close()

    # All that a frame makes together, which no buffer of it exceeds; a reject's finding in words comes on top.
    assert len(peaks) > FRAMES / 2
    assert sorted(peaks)[len(peaks) // 2] <= MOST_BYTES + FINDING_BYTES, sorted(peaks)
    assert sorted(peaks)[9 * len(peaks) // 10] <= MOST_BYTES + 2 * FINDING_BYTES, sorted(peaks)
