"""A card as NVML tells it: whole, without what the device does not have, and lost."""

import sys

import pytest

from app.clock import VirtualClock
from app.health.nvml import REASONS, NvmlHealth
from tests.unit.health.fake_nvml import GPU_FACTS, GPU_IS_LOST, LIBRARY_NOT_FOUND, NOT_SUPPORTED, FakeNvml


def source_of(library):
    return NvmlHealth(library, VirtualClock(9))


def test_every_figure_of_a_card_is_read():
    health = source_of(FakeNvml()).read()

    assert (health.source, health.at_ns, health.device) == ("nvml", 9, "NVIDIA RTX A2000")
    assert (health.temperature_c, health.clock_mhz, health.clock_max_mhz) == (61, 1200, 2100)
    assert (health.power_w, health.power_of) == (34.5, "board")
    assert (health.memory_used_mib, health.memory_total_mib) == (700, 6138)
    assert health.driver == "580.95.05"
    assert health.versions == (("CUDA of the driver", "12.6"), ("NVML", "13.580.95.05"))
    assert (health.throttling, health.remarks) == ((), ())


def test_having_nothing_to_do_is_no_reason_and_every_other_is():
    library = FakeNvml()
    library.reasons = 0x1 | 0x20 | 0x4

    health = source_of(library).read()

    assert health.throttling == ("held to its power limit", "slowed by the driver: too hot")
    assert health.is_throttled
    assert 0x1 not in REASONS


@pytest.mark.parametrize("fact", [fact for fact in GPU_FACTS if fact != "name"])
def test_what_a_device_does_not_have_is_no_value_and_no_remark(fact):
    health = source_of(FakeNvml(**{fact: NOT_SUPPORTED})).read()

    assert health.device
    assert health.remarks == ()
    assert None in (
        health.temperature_c,
        health.clock_mhz,
        health.clock_max_mhz,
        health.power_w,
        health.memory_total_mib,
        health.throttling,
    )


def test_the_newer_question_for_the_temperature_is_asked_first():
    library = FakeNvml(temperature=NOT_SUPPORTED)
    library.nvmlDeviceGetTemperatureV = lambda _handle, _sensor: 55

    assert source_of(library).read().temperature_c == 55


def test_a_sensor_that_is_not_there_is_not_believed():
    library = FakeNvml()
    library.nvmlDeviceGetTemperatureV = lambda _handle, _sensor: 255

    health = source_of(library).read()

    assert health.temperature_c is None
    assert "255" in health.remarks[0]


def test_a_device_that_is_lost_is_told_and_asked_for_anew():
    library = FakeNvml()
    source = source_of(library)
    source.read()
    library.broken = dict.fromkeys(GPU_FACTS, GPU_IS_LOST)

    lost = source.read()
    library.broken = {}
    back = source.read()

    assert lost.device is None
    assert "GPU is lost" in lost.remarks[0]
    assert back.device
    assert (library.inits, library.shutdowns) == (2, 1)


def test_a_driver_that_is_not_there_is_told_and_tried_again():
    library = FakeNvml(init=LIBRARY_NOT_FOUND)
    source = source_of(library)

    health = source.read()
    library.broken = {}

    assert health.device is None
    assert health.remarks == ("NVML does not start: NVML Shared Library Not Found",)
    assert source.read().device


def test_a_library_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)

    health = NvmlHealth().read()

    assert health.device is None
    assert health.remarks[0].startswith("nvidia-ml-py does not load")


def test_a_second_card_is_mentioned():
    library = FakeNvml()
    library.count = 2

    assert source_of(library).read().remarks == ("there are 2 GPUs; this is number 0",)


def test_a_library_that_answers_in_bytes_is_understood():
    library = FakeNvml()
    library.nvmlDeviceGetName = lambda _handle: b"Tesla T4"

    assert source_of(library).read().device == "Tesla T4"


def test_closing_twice_shuts_down_once():
    library = FakeNvml()
    source = source_of(library)
    source.read()
    source.close()
    source.close()

    assert library.shutdowns == 1
