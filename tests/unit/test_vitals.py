"""What the accelerator's process shows of itself and its device."""

from app.bus.block import BlockReader
from app.clock import VirtualClock
from app.entries.vitals import BEAT_NS, Vitals
from app.health.fake import FakeHealth, Scene
from app.health.report import Served, decode_report

SERVED = Served(1, "pcb-golden", "accelerator-fp16", "tensorrt", 0.61)


class Counted(FakeHealth):
    """Counts how often it is asked."""

    asked = 0

    def read(self):
        self.asked += 1
        return super().read()


def test_device_is_told_from_the_start_and_once_a_beat_from_then_on(tmp_path):
    clock = VirtualClock()
    health = Counted(clock, (Scene(1.0, load=1.0, cooling=0.05),))
    vitals = Vitals(tmp_path / "accelerator.status", health, clock)
    block = BlockReader(tmp_path / "accelerator.status")
    first = decode_report(block.read())
    assert (first.is_serving, first.serves, first.health.device) == (False, (), "fake accelerator")
    clock.advance_to(BEAT_NS // 2)
    asked = health.asked
    vitals.look()
    assert health.asked == asked
    vitals.serve([SERVED])
    serving = decode_report(block.read())
    assert (serving.is_serving, serving.serves, serving.since_ns) == (True, (SERVED,), BEAT_NS // 2)
    clock.advance_to(300 * BEAT_NS)
    vitals.look()
    hot = decode_report(block.read())
    assert hot.health.is_throttled
    assert (hot.at_ns, hot.since_ns) == (300 * BEAT_NS, serving.since_ns)
    block.close()
    vitals.close()
