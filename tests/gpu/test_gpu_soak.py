"""Ten minutes on the GPU without a pause: the same bytes at the end as at the beginning, and not a byte more held."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from app.capture.pictures import read_picture
from app.clock import NS_PER_MS, SystemClock
from app.detect.proof import prove
from app.detect.zoo import find_package, zoo_folder

pytestmark = pytest.mark.gpu

MINUTES = 10
LEEWAY_BYTES = 8 << 20


def held():
    """What this process holds: bytes in memory, descriptors, threads."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    own = Path("/proc/self")
    return pages * os.sysconf("SC_PAGE_SIZE"), len(list((own / "fd").iterdir())), len(list((own / "task").iterdir()))


def minute(detector, shots):
    """A minute of pictures without a pause: how long each took, in ms."""
    times, end_s = [], time.monotonic() + 60
    while time.monotonic() < end_s:
        for picture, golden in shots:
            since_ns = time.perf_counter_ns()
            detector.detect(picture, golden)
            times.append((time.perf_counter_ns() - since_ns) / NS_PER_MS)
    return times


def bytes_of(detector, picture, golden):
    detector.detect(picture, golden)
    return {name: each.tobytes() for name, each in detector.infer().by_name().items()}


@pytest.mark.timeout(MINUTES * 60 + 900)
def test_ten_minutes_without_a_pause_change_no_answer_and_hold_on_to_nothing(tmp_path, record_property):
    from app.detect.cuda import open_cuda
    from app.detect.tensorrt import TensorRtOptions, open_tensorrt

    package = find_package("pcb-golden", zoo_folder())
    detector = open_tensorrt(package, 1, SystemClock(), None, TensorRtOptions(folder=tmp_path))
    onlooker = open_cuda()
    shots = [(read_picture(each.image), read_picture(each.golden)) for each in package.frames]
    try:
        minute(detector, shots)  # the first one warms up
        before = bytes_of(detector, *shots[0])
        free, (resident, descriptors, threads) = onlooker.free_bytes(), held()
        for number in range(1, MINUTES + 1):
            times = minute(detector, shots)
            figures = [round(float(each), 3) for each in (*np.percentile(times, (50, 99, 99.9)), max(times))]
            record_property(f"minute {number}: p50 p99 p99.9 max, ms", figures)
            sys.stderr.write(f"minute {number}: {len(times)} pictures, p50 p99 p99.9 max ms: {figures}\n")
        later, (resident_later, descriptors_later, threads_later) = onlooker.free_bytes(), held()
        assert bytes_of(detector, *shots[0]) == before
        assert prove(package, detector, read_picture).frames == len(package.frames)
        assert (descriptors_later, threads_later) == (descriptors, threads)
        assert resident_later - resident <= LEEWAY_BYTES
        assert free - later <= LEEWAY_BYTES
    finally:
        detector.close()
        onlooker.close()
