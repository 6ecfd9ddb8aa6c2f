"""A Jetson read from its files, whole, garbled and in part."""

import os
from pathlib import Path

import pytest

from app.clock import VirtualClock
from app.health.jetson import JetsonHealth, is_jetson
from tests.unit.health.jetson_tree import GPU, PROTECTION, RAILS, lay_out, put_to_sleep, write


@pytest.fixture
def root(tmp_path):
    return lay_out(tmp_path)


def read(root, source=None):
    return (source or JetsonHealth(root, VirtualClock(7), may_ask=False)).read()


def test_every_figure_of_an_orin_is_read(root):
    health = read(root)

    assert (health.source, health.at_ns) == ("jetson", 7)
    assert health.device == "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"
    assert health.temperature_c == 46.187
    assert (health.clock_mhz, health.clock_max_mhz) == (306, 1020)
    assert (health.clock_floor_mhz, health.clock_limit_mhz) == (306, 1020)
    assert health.power_w == pytest.approx(5.016 * 1.856)
    assert health.power_of == "VDD_IN"
    assert health.power_mode == "MAXN_SUPER"
    assert health.power_modes == (("0", "15W"), ("1", "25W"), ("2", "MAXN_SUPER"), ("3", "7W"))
    assert (health.throttling, health.slowed) == ((), ())
    assert health.memory_total_mib == pytest.approx(7801852 / 1024)
    assert health.memory_used_mib == pytest.approx(2_000)
    assert health.driver == "L4T 36.4.7"
    assert health.versions == (("CUDA", "12.6.11"), ("TensorRT", "10.3.0"))
    assert health.remarks == ()


def test_a_mode_with_a_cap_limits_the_clock(root):
    write(root, f"{GPU}/max_freq", "612000000\n")
    write(root, "var/lib/nvpmodel/status", "pmode:0000\n")

    health = read(root)

    assert (health.power_mode, health.clock_limit_mhz, health.clock_max_mhz) == ("15W", 612, 1020)


def test_heat_that_lowers_the_clock_is_named(root):
    write(root, "sys/class/thermal/cooling_device3/cur_state", "1\n")

    assert read(root).throttling == ("too hot: gpu-throttle-alert",)


def test_a_fan_that_turns_slows_nothing(root):
    write(root, "sys/class/thermal/cooling_device0/cur_state", "3\n")

    assert read(root).throttling == ()


def test_what_the_protection_did_before_the_first_reading_is_history(root):
    write(root, f"{PROTECTION}/oc3_event_cnt", "37\n")

    health = read(root)

    assert health.throttling == ()
    assert health.slowed == ("current too high for a moment (oc3), 37 times",)


def test_what_the_protection_does_between_two_readings_is_now(root):
    source = JetsonHealth(root, VirtualClock(), may_ask=False)
    source.read()
    write(root, f"{PROTECTION}/oc1_event_cnt", "1\n")

    assert source.read().throttling == ("over-current protection: voltage too low",)
    assert source.read().throttling == ()


def test_an_agx_orin_tells_the_rail_of_gpu_and_soc(root):
    write(root, f"{RAILS}/in1_label", "VDD_GPU_SOC\n")

    assert read(root).power_of == "VDD_GPU_SOC"


def test_the_gpu_of_jetpack_5_has_another_name(root):
    (root / GPU).rename(root / "sys/class/devfreq/17000000.ga10b")

    assert read(root).clock_max_mhz == 1020


def test_the_hottest_junction_stands_for_a_gpu_that_sleeps(root):
    descriptor = put_to_sleep(root / "sys/class/thermal/thermal_zone1/temp")
    health = read(root)
    os.close(descriptor)

    assert health.temperature_c == pytest.approx(47.496)
    assert any("thermal_zone1/temp cannot be read" in remark for remark in health.remarks)
    assert any("hottest junction" in remark for remark in health.remarks)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("sys/class/thermal/thermal_zone1/temp", "temperature_c"),
        (f"{GPU}/cur_freq", "clock_mhz"),
        (f"{GPU}/max_freq", "clock_limit_mhz"),
        (f"{GPU}/available_frequencies", "clock_max_mhz"),
        (f"{RAILS}/curr1_input", "power_w"),
        ("etc/nv_tegra_release", "driver"),
        ("var/lib/nvpmodel/status", "power_mode"),
        ("proc/meminfo", "memory_total_mib"),
    ],
)
@pytest.mark.parametrize("garbage", ["\xff\x00\x1b[2J", "12 34 x", "--", "MemTotal: many kB\nMemAvailable: 1 kB"])
def test_garbage_is_no_value_and_a_remark(root, path, field, garbage):
    (root / "sys/class/thermal/thermal_zone8/type").unlink()
    (root / path).write_bytes(garbage.encode("latin-1"))

    health = read(root)

    assert getattr(health, field) is None
    assert health.device
    if field != "memory_total_mib" or "MemTotal" in garbage:
        assert any(Path(path).name in remark for remark in health.remarks)


@pytest.mark.parametrize(
    ("path", "text", "field"),
    [
        ("sys/class/thermal/thermal_zone1/temp", "-256000", "temperature_c"),
        (f"{GPU}/cur_freq", "-1", "clock_mhz"),
        (f"{GPU}/max_freq", "0", "clock_limit_mhz"),
        (f"{RAILS}/curr1_input", "99999999", "power_w"),
    ],
)
def test_a_figure_that_cannot_be_is_no_value_and_a_remark(root, path, text, field):
    (root / "sys/class/thermal/thermal_zone8/type").unlink()
    write(root, path, text)

    health = read(root)

    assert getattr(health, field) is None
    assert any("cannot be" in remark for remark in health.remarks)


def test_a_folder_where_a_file_should_be_is_a_remark(root):
    (root / GPU / "cur_freq").unlink()
    (root / GPU / "cur_freq").mkdir()

    health = read(root)

    assert health.clock_mhz is None
    assert any("cur_freq cannot be read" in remark for remark in health.remarks)


def test_a_counter_that_is_garbage_does_not_hide_the_others(root):
    write(root, f"{PROTECTION}/oc1_event_cnt", "?\n")
    write(root, f"{PROTECTION}/oc2_event_cnt", "15\n")

    assert read(root).slowed == ("average current too high (oc2), 15 times",)


def test_a_mode_that_no_file_names_has_its_number(root):
    write(root, "etc/nvpmodel.conf", "nothing\n")

    health = read(root)

    assert health.power_mode == "number 2"
    assert "/etc/nvpmodel.conf names no power mode" in health.remarks


def test_an_empty_box_says_nothing_and_does_not_fail(tmp_path):
    health = read(tmp_path)

    assert health.device is None
    assert health.throttling is None
    assert health.slowed is None
    assert health.remarks == ()


def test_a_jetson_is_known_by_its_device_tree(root, tmp_path):
    assert is_jetson(root)
    write(root, "proc/device-tree/compatible", "raspberrypi,4-model-b\0brcm,bcm2711\0")
    assert not is_jetson(root)
