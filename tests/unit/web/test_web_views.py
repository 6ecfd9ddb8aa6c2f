"""What the page gets to know of the station."""

from __future__ import annotations

import pytest

from app.clock import NS_PER_S
from app.health import Health
from app.health.report import Report, Served, encode_report
from app.status import AcceleratorStatus, CameraStatus, State, Status
from app.types import Tally
from app.web.views import accelerator_view, status_view


def test_camera_is_told_with_its_sentence_and_all_its_counts():
    camera = CameraStatus("top", "it is gone", 7, 2 * NS_PER_S, 1, refused=3, reopened=4, is_away=True, code="GONE")
    status = Status(State.NO_CAMERA, "it is gone", 0, 0, Tally(), "L1", cameras=(camera,))
    assert status_view(status, 5 * NS_PER_S)["cameras"] == [
        {
            "name": "top",
            "text": "it is gone",
            "code": "GONE",
            "frames": 7,
            "dropped": 1,
            "refused": 3,
            "reopened": 4,
            "for_ms": 3000.0,
        }
    ]


def test_accelerator_is_told_with_its_phase_reason_and_age():
    said = AcceleratorStatus("parked", "it failed", 2 * NS_PER_S, "tensorrt", "openvino", 3, 2, asks_mm_s=400.0)
    status = Status(State.DEGRADED, "it failed", 0, 0, Tally(), "L1", accelerator=said)
    view = status_view(status, 5 * NS_PER_S)["accelerator"]
    assert (view["phase"], view["why"], view["for_ms"], view["asks_mm_s"]) == ("parked", "it failed", 3000.0, 400.0)
    assert "since_ns" not in view


def test_line_without_an_accelerator_has_none():
    assert status_view(Status(State.RUNNING, "", 0, 0, Tally(), "L1"), 0)["accelerator"] is None


def test_device_is_told_with_heat_clock_and_what_slows_it():
    health = Health("fake", 0, "Orin", 61.0, clock_mhz=510.0, power_mode="15W", throttling=("it is too hot",))
    serves = (Served(1, "pcb-golden", "accelerator-fp16", "tensorrt", 0.6),)
    report = Report(4 * NS_PER_S, NS_PER_S, is_serving=True, serves=serves, health=health)
    view = accelerator_view(encode_report(report), 5 * NS_PER_S)
    assert (view["age_ms"], view["for_ms"], view["device"]) == (1000.0, 4000.0, "Orin")
    assert (view["temperature_c"], view["clock_mhz"], view["power_mode"]) == (61.0, 510.0, "15W")
    assert (view["throttling"], view["serves"][0]["runtime"]) == (("it is too hot",), "tensorrt")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff"])
def test_report_of_the_device_that_is_none_is_none(content):
    assert accelerator_view(content, 0) is None
