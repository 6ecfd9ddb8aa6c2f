"""Which source a box has, and a reading on its way from one process to another."""

import json

import pytest

from app.errors import ConfigError, DataError
from app.health import decode_health, encode_health, open_health
from app.health.apart import ApartHealth
from app.health.health import Health, in_words
from app.health.sources import bare_source, cards, choose_source, has_driver
from tests.unit.health.jetson_tree import lay_out, write

FULL = Health(
    "nvml",
    3,
    device="NVIDIA RTX A2000",
    temperature_c=61.0,
    clock_mhz=1200.0,
    clock_max_mhz=2100.0,
    power_w=34.5,
    power_of="board",
    throttling=("held to its power limit",),
    memory_used_mib=700.0,
    memory_total_mib=6138.0,
    versions=(("CUDA", "12.6"),),
    remarks=("odd",),
)


def put_card(root, vendor="0x10de", kind="0x030200"):
    write(root, "sys/bus/pci/devices/0000:01:00.0/vendor", f"{vendor}\n")
    write(root, "sys/bus/pci/devices/0000:01:00.0/class", f"{kind}\n")


def test_a_jetson_reads_its_files(tmp_path):
    assert choose_source(lay_out(tmp_path)) == "jetson"


@pytest.mark.parametrize("kind", ["0x030000", "0x030200"])
def test_a_card_is_found_without_any_driver(tmp_path, kind):
    put_card(tmp_path, kind=kind)

    assert cards(tmp_path) == ("0000:01:00.0",)
    assert not has_driver(tmp_path)
    assert choose_source(tmp_path) == "nvml"


@pytest.mark.parametrize(("vendor", "kind"), [("0x8086", "0x030000"), ("0x10de", "0x040300"), ("x", "0x030000")])
def test_another_vendor_and_the_sound_of_a_card_are_no_accelerator(tmp_path, vendor, kind):
    put_card(tmp_path, vendor, kind)

    assert choose_source(tmp_path) == "none"


def test_a_driver_that_is_loaded_is_asked_though_no_card_is_shown(tmp_path):
    write(tmp_path, "proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05\n")

    assert choose_source(tmp_path) == "nvml"


def test_a_box_without_any_says_so(tmp_path):
    source = open_health(root=tmp_path)
    health = source.read()
    source.close()

    assert (health.source, health.device) == ("none", None)
    assert health.remarks == ("no accelerator is on this box",)


def test_a_source_is_opened_in_a_process_of_its_own(tmp_path):
    assert isinstance(open_health("nvml", tmp_path), ApartHealth)


@pytest.mark.parametrize("ask", [open_health, bare_source])
def test_a_source_that_does_not_exist_is_named(ask):
    with pytest.raises(ConfigError, match=r"'jtop'.*nvml or none"):
        ask("jtop")


def test_a_reading_survives_the_way_to_another_process():
    assert decode_health(encode_health(FULL)) == FULL
    assert decode_health(encode_health(Health("none"))) == Health("none")


def test_what_a_newer_version_adds_is_passed_over():
    said = json.loads(encode_health(FULL)) | {"fan_percent": 40}

    assert decode_health(json.dumps(said)) == FULL


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"3",
        b"{}",
        b"\xff",
        b'{"source": 3}',
        b'{"source": "nvml", "temperature_c": "hot"}',
        b'{"source": "nvml", "temperature_c": true}',
        b'{"source": "nvml", "temperature_c": NaN}',
        b'{"source": "nvml", "throttling": "hot"}',
        b'{"source": "nvml", "throttling": [1]}',
        b'{"source": "nvml", "versions": [["a"]]}',
        b'{"source": "nvml", "remarks": null}',
    ],
)
def test_what_is_no_reading_is_refused(data):
    with pytest.raises(DataError, match="cannot be read"):
        decode_health(data)


def test_the_figures_in_words_leave_out_what_is_not_known():
    assert in_words(FULL) == (
        "NVIDIA RTX A2000, 61 °C, 1200 of 2100 MHz, 34.5 W (board), 700 of 6138 MiB of memory, held to its power limit"
    )
    assert in_words(Health("nvml", temperature_c=40.0)) == "40 °C"
    assert in_words(Health("none")) == "nothing is known"
