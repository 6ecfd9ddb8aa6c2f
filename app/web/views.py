"""Status and recorder state as the page gets them: times as ages, because nobody else knows this machine's clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any

from app.clock import NS_PER_MS
from app.errors import DataError
from app.health.report import decode_report
from app.status import AcceleratorStatus, CameraStatus, Status

_MOST_WORDS = 300
_SHORT_OF_ROOM = ("no picture is kept", "are not kept")
"""How the recorder's policy begins to sound when the disk is nearly full."""


def status_view(status: Status, now_ns: int) -> dict[str, Any]:
    """A station's snapshot.

    Args:
        status: The snapshot.
        now_ns: The present, by the clock that stamped it.
    """
    tally = status.tally
    settled = tally.passed + tally.rejected + tally.lost
    return {
        "state": status.state.value,
        "why": status.why,
        "code": status.code,
        "for_ms": _age_ms(status.since_ns, now_ns),
        "lot": status.lot,
        "tally": {
            "triggers": tally.triggers,
            "passed": tally.passed,
            "rejected": tally.rejected,
            "lost": tally.lost,
            "in_flight": tally.in_flight,
            "is_balanced": tally.is_balanced,
            "yield": tally.passed / settled if settled else None,
        },
        "latches": [
            {"cause": each.cause, "text": each.text, "for_ms": _age_ms(each.at_ns, now_ns), "part": each.part_id}
            for each in status.latches
        ],
        "cameras": [_camera(each, now_ns) for each in status.cameras],
        "epoch": status.epoch,
        "recipe": status.recipe,
        "recipe_sha256": status.recipe_sha256,
        "package": status.package,
        "runtime": status.runtime,
        "budget_ms": status.budget_ms,
        "speed_mm_s": status.speed_mm_s,
        "position_mm": status.position_mm,
        "is_permitted": status.is_permitted,
        "misses": status.misses,
        "failovers": status.failovers,
        "stray_frames": status.stray_frames,
        "pictures_dropped": status.pictures_dropped,
        "ring_share": status.ring_share,
        "challenge_phase": status.challenge_phase,
        "is_challenge_due": status.is_challenge_due,
        "lamps": list(status.lamps),
        "has_buzzer": status.has_buzzer,
        "scheduling": status.scheduling,
        "unused": list(status.unused),
        "accelerator": _accelerator(status.accelerator, now_ns) if status.accelerator else None,
    }


def recorder_view(content: bytes, now_ns: int) -> dict[str, Any] | None:
    """The recorder's own report; `None` where it is none. Numbers and words are passed on, nothing else."""
    try:
        said = json.loads(content)
    except ValueError:
        return None
    if not isinstance(said, Mapping) or not isinstance(said.get("at_ns"), int):
        return None
    view: dict[str, Any] = {"age_ms": _age_ms(said["at_ns"], now_ns)}
    for key, value in said.items():
        if isinstance(value, str):
            view[key] = value[:_MOST_WORDS]
        elif isinstance(value, (int, float)) and isfinite(value) and key != "at_ns":
            view[key] = value
    policy = str(view.get("policy", ""))
    view["is_short_of_room"] = any(words in policy for words in _SHORT_OF_ROOM)
    if view["is_short_of_room"]:
        view["policy"] = policy.partition(":")[0]
    return view


def accelerator_view(content: bytes, now_ns: int) -> dict[str, Any] | None:
    """What the accelerator's process tells of itself and its device; `None` where that is nothing."""
    try:
        report = decode_report(content)
    except DataError:
        return None
    health = report.health
    return {
        "age_ms": _age_ms(report.at_ns, now_ns),
        "for_ms": _age_ms(report.since_ns, now_ns),
        "is_serving": report.is_serving,
        "serves": [asdict(each) for each in report.serves],
        "device": health.device,
        "temperature_c": health.temperature_c,
        "clock_mhz": health.clock_mhz,
        "clock_max_mhz": health.clock_max_mhz,
        "power_w": health.power_w,
        "power_mode": health.power_mode,
        "throttling": health.throttling,
        "slowed": health.slowed,
        "remarks": [each[:_MOST_WORDS] for each in health.remarks],
    }


def _accelerator(status: AcceleratorStatus, now_ns: int) -> dict[str, Any]:
    said = asdict(status)
    said["for_ms"] = _age_ms(said.pop("since_ns"), now_ns)
    return said


def _camera(camera: CameraStatus, now_ns: int) -> dict[str, Any]:
    return {
        "name": camera.name,
        "text": camera.text,
        "code": camera.code,
        "frames": camera.frames,
        "dropped": camera.dropped,
        "refused": camera.refused,
        "reopened": camera.reopened,
        "for_ms": _age_ms(camera.last_frame_ns, now_ns) if camera.last_frame_ns else None,
    }


def _age_ms(at_ns: int, now_ns: int) -> float:
    return max(0, now_ns - at_ns) / NS_PER_MS
