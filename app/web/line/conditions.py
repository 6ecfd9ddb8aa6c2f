"""What is wrong with a lane right now, out of the report that its page gets. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from types import MappingProxyType
from typing import Any

STALE_MS = 1000.0
"""A station that has said nothing for so long is not known to live."""

RECORDER_STALE_MS = 3000.0
RING_SHARE = 0.5
"""More of the event memory than this waits for the recorder."""

_MOST_WORDS = 300


class Priority(IntEnum):
    """How soon somebody must act, as ISA-18.2 has it; the consequence decides."""

    HIGH = 1
    MEDIUM = 2
    LOW = 3


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now.

    Attributes:
        key: What tells it from every other condition of its lane.
        kind: Its code; `cause.` and the kind is the key of its words, with `.todo` of what to do.
        priority: How soon somebody must act.
        text: What happened, in the station's words; may be empty.
        is_first: It is the first-out cause of a stop.
        code: Why, as a code of `app.status.Trouble` or `Degraded`; empty where the kind says all.
        camera: The camera that it is about; empty where it is about none.
    """

    key: str
    kind: str
    priority: Priority
    text: str = ""
    is_first: bool = False
    code: str = ""
    camera: str = ""


PRIORITIES: Mapping[str, Priority] = MappingProxyType(
    {
        "NO_DATA": Priority.HIGH,
        "NO_CAMERA": Priority.HIGH,
        "UNBALANCED": Priority.HIGH,
        "DEGRADED": Priority.MEDIUM,
        "THROTTLED": Priority.MEDIUM,
        "RECORDER_SILENT": Priority.MEDIUM,
        "RECORDER_ERROR": Priority.MEDIUM,
        "DISK_LOW": Priority.MEDIUM,
        "EVENTS_WAIT": Priority.MEDIUM,
        "CHALLENGE_DUE": Priority.LOW,
    }
)
"""Every kind of condition beside the causes of stops, which are all high; docs/operator.md says what to do."""


def conditions_of(report: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Everything that is wrong with a lane, the first-out cause of a stop before all.

    Args:
        report: `Live.status` of the lane.
    """
    age_ms, status = report.get("age_ms"), report.get("status")
    if age_ms is None or status is None:
        return (_condition("NO_DATA"),)
    if age_ms > STALE_MS:
        return (_condition("NO_DATA"), *_of_recorder(report.get("recorder"), status))
    return (
        *_of_stops(status),
        *_of_cameras(status),
        *_of_judging(status, report.get("accelerator")),
        *_of_recorder(report.get("recorder"), status),
    )


def _of_stops(status: Mapping[str, Any]) -> Iterator[Condition]:
    for index, latch in enumerate(status["latches"]):
        cause = str(latch["cause"])
        yield Condition(f"latch/{cause}", cause, Priority.HIGH, _short(latch["text"]), is_first=index == 0)


def _of_cameras(status: Mapping[str, Any]) -> Iterator[Condition]:
    for camera in status["cameras"]:
        if camera["text"]:
            found = _condition("NO_CAMERA", _short(camera["text"]), f"camera/{camera['name']}")
            yield replace(found, code=camera["code"], camera=camera["name"])


def _of_judging(status: Mapping[str, Any], accelerator: Mapping[str, Any] | None) -> Iterator[Condition]:
    tally = status["tally"]
    if not tally["is_balanced"]:
        yield _condition("UNBALANCED")
    if status["state"] == "DEGRADED":
        yield replace(_condition("DEGRADED", _short(status["why"])), code=status["code"])
    throttling = (accelerator or {}).get("throttling")
    if throttling:
        yield _condition("THROTTLED", _short(", ".join(throttling)))
    if status["is_challenge_due"]:
        yield _condition("CHALLENGE_DUE")


def _of_recorder(recorder: Mapping[str, Any] | None, status: Mapping[str, Any]) -> Iterator[Condition]:
    if recorder is None or recorder["age_ms"] > RECORDER_STALE_MS:
        yield _condition("RECORDER_SILENT")
    else:
        if recorder.get("error"):
            yield _condition("RECORDER_ERROR", _short(recorder["error"]))
        if recorder.get("is_short_of_room"):
            yield _condition("DISK_LOW", _short(recorder.get("policy", "")))
    if status["ring_share"] > RING_SHARE:
        yield _condition("EVENTS_WAIT")


def _condition(kind: str, text: str = "", key: str = "") -> Condition:
    return Condition(key or kind, kind, PRIORITIES[kind], text)


def _short(words: object) -> str:
    return str(words)[:_MOST_WORDS]
