"""Status and recorder state as the page gets them: times as ages, because nobody else knows this machine's clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from app.clock import NS_PER_MS
from app.status import CameraStatus, Status

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
        "scheduling": status.scheduling,
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


def _camera(camera: CameraStatus, now_ns: int) -> dict[str, Any]:
    return {
        "name": camera.name,
        "text": camera.text,
        "frames": camera.frames,
        "dropped": camera.dropped,
        "refused": camera.refused,
        "reopened": camera.reopened,
        "for_ms": _age_ms(camera.last_frame_ns, now_ns) if camera.last_frame_ns else None,
    }


def _age_ms(at_ns: int, now_ns: int) -> float:
    return max(0, now_ns - at_ns) / NS_PER_MS
