"""What every source of an accelerator's health keeps: the real ones, the one for boxes without, and the fake."""

import pytest

from app.clock import SystemClock
from app.health import decode_health, encode_health
from app.health.apart import ApartHealth, reader_command
from app.health.fake import FakeHealth
from app.health.jetson import JetsonHealth
from app.health.nvml import NvmlHealth
from app.health.sources import NoHealth
from tests.unit.health.fake_nvml import FakeNvml
from tests.unit.health.jetson_tree import lay_out

OPENERS = {
    "jetson": lambda root: JetsonHealth(lay_out(root), may_ask=False),
    "nvml": lambda _root: NvmlHealth(FakeNvml()),
    "none": lambda _root: NoHealth(),
    "fake": lambda _root: FakeHealth(SystemClock()),
    "apart": lambda root: ApartHealth("jetson", reader_command("jetson", lay_out(root)), deadline_ms=60_000),
}


@pytest.fixture(params=OPENERS)
def source(request, tmp_path):
    opened = OPENERS[request.param](tmp_path)
    yield opened
    opened.close()


def test_readings_follow_the_monotonic_clock(source):
    before_ns = SystemClock().now_ns()
    first, second = source.read(), source.read()

    assert before_ns <= first.at_ns <= second.at_ns <= SystemClock().now_ns()


def test_a_reading_names_its_source_and_survives_the_way_to_another_process(source):
    health = source.read()

    assert health.source
    assert decode_health(encode_health(health)) == health


def test_a_source_that_knows_no_device_says_why(source):
    health = source.read()

    assert health.device or health.remarks


def test_closing_twice_is_harmless(source):
    source.read()
    source.close()
    source.close()
