"""What asking the accelerator's process costs over calling the same runtime in this process."""

import gc
import sys

import numpy as np
import pytest

from app.clock import NS_PER_MS
from app.detect.package import load_package
from app.detect.runtimes import open_detector
from app.realtime import FIFO, OTHER, schedule
from tests.contract.accelerator_rig import rig_of
from tests.unit.detect.tiny_model import with_spot

VERDICT_PRIORITY = 70


class Times:
    """Inferences in turn, here and there, of the same picture on the same runtime."""

    def __init__(self, count):
        self.here, self.there, self.asking = (np.zeros(count) for _ in range(3))

    def measure(self, local, remote, exchange):
        picture = with_spot(3, 3)
        golden = np.zeros_like(picture)
        for index in range(len(self.here)):
            self.here[index] = local.detect(picture, golden).infer_ns / NS_PER_MS
            self.there[index] = remote.detect(picture, golden).infer_ns / NS_PER_MS
            self.asking[index] = self.there[index] - exchange.work_ns / NS_PER_MS

    def words(self):
        lines = [f"| {len(self.here)} inferences, ms | p50 | p99 | longest |", "|---|---|---|---|"]
        for name, times in (
            ("in this process", self.here),
            ("in the accelerator's", self.there),
            ("of that asking and copying", self.asking),
        ):
            lines.append(f"| {name} | {np.median(times):.3f} | {np.percentile(times, 99):.3f} | {times.max():.3f} |")
        more = [np.percentile(self.there, share) - np.percentile(self.here, share) for share in (50, 99)]
        lines.append(f"| **overhead** | {more[0]:.3f} | {more[1]:.3f} | |")
        return "\n".join(lines) + "\n"


def measured(count, accelerator="onnx"):
    """So many inferences on each side, in turn, at the priorities of the line where the system grants them."""
    with rig_of(accelerator) as rig:
        rig.start()
        rig.station()
        rig.trusted()
        # The runtime's own threads inherit it, as the station's do.
        granted = schedule(FIFO, VERDICT_PRIORITY, is_inherited=True)
        local = open_detector(load_package(rig.package), accelerator, threads=1)
        remote = rig.both.curtain.detector
        times = Times(count)
        gc.collect()
        gc.disable()
        try:
            times.measure(local, remote, remote.remote._exchange)
        finally:
            gc.enable()
            schedule(OTHER, 0)
            local.close()
    return times, granted


def test_both_sides_are_asked_in_turn_and_each_question_is_timed():
    times, _ = measured(20)
    assert (times.here > 0).all()
    assert (times.there >= times.asking).all()


@pytest.mark.long
@pytest.mark.parametrize("accelerator", ["onnx", "openvino"])
def test_overhead_of_the_process(accelerator):
    times, granted = measured(20_000, accelerator)
    sys.stderr.write(f"\n{accelerator}, {granted.text}\n{times.words()}")  # what `pytest -s` is asked for
    assert (times.asking > 0).all()
