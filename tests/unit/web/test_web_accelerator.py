"""What the page gets to know of the accelerator: from its own process, and of the slowest verdicts."""

from app.bus.block import BlockWriter
from app.health import Health
from app.health.report import BLOCK, BLOCK_BYTES, Report, encode_report


def test_device_is_told_beside_the_lanes(bench):
    assert bench.live.status(1)["accelerator"] is None, "no such process runs"
    block = BlockWriter(bench.place.root / BLOCK, BLOCK_BYTES)
    now_ns = bench.clock.now_ns()
    health = Health("fake", now_ns, "Orin", 61.0)
    block.write(encode_report(Report(now_ns, now_ns, is_serving=True, serves=(), health=health)))
    bench.clock.advance_to(now_ns + 1_000_000_000)
    bench.live.look()
    said = bench.live.status(1)["accelerator"]
    assert (said["device"], said["temperature_c"], said["age_ms"]) == ("Orin", 61.0, 1000.0)
    block.close()


def test_slowest_verdicts_are_told_with_their_parts(bench):
    bench.publish()
    for part, total_us in ((1, 2000), (2, 9000), (3, 3000), (4, 4000), (5, 1000)):
        bench.judged(part, total_us=total_us)
    bench.live.look()
    latency = bench.live.status(1)["latency"]
    assert [(each["part"], each["ms"]) for each in latency["slowest"]] == [(2, 9.0), (4, 4.0), (3, 3.0)]
    assert (latency["p999_ms"], latency["max_ms"], latency["count"]) == (9.0, 9.0, 5)
