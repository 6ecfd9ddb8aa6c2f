"""The ledger's events as sentences, for people who read the story of a part."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from app.types import PASS, EventKind, LedgerEvent, Scalar

Data = Mapping[str, Scalar]


def sentence(event: LedgerEvent) -> str:
    """What happened, in one short sentence without a full stop. Says nothing of when, where and which part."""
    tell = _TELL.get(event.kind)
    return tell(event.data) if tell else event.kind.value


def _judged(said: Data) -> str:
    found = _detections(said)
    what = f"found {', '.join(found)}" if found else "found nothing"
    took = said.get("total_us")
    within = f" in {took / 1000:.2f} ms" if isinstance(took, (int, float)) else ""
    by = f" by {said['runtime']}" if said.get("runtime") else ""
    return f"the picture of camera {said.get('camera')} was judged{by}{within}: {what}"


def _detections(said: Data) -> list[str]:
    try:
        rows: list[list[Any]] = json.loads(str(said.get("detections") or "[]"))
        return [f"{label} {score:.2f} at {x:.0f}, {y:.0f} px" for label, score, x, y, *_ in rows]
    except (ValueError, TypeError):
        return [f"what cannot be read: {said.get('detections')}"]


def _verdict(said: Data) -> str:
    destination, route = said.get("destination"), said.get("route")
    words = "verdict: it passes" if destination == PASS else f"verdict: to {destination}"
    if route is not None and route != destination:
        words += f", sent to {route}"
    if said.get("text"):
        words += f", because of {said['text']}"
    return words + (", flagged for a person to look at" if said.get("is_flagged") else "")


def _outcome(said: Data) -> str:
    how = {
        "SEEN": "a sensor saw it",
        "UNCONFIRMED": "no sensor confirms it",
        "BY_HAND": "a person took it away",
        "MISSING": "nobody saw it",
    }.get(str(said.get("confirmation")), str(said.get("confirmation")))
    destination = said.get("destination")
    where = "" if destination in (PASS, None, "") else f" to {destination}"
    words = f"outcome: {str(said.get('outcome')).lower()}{where}, {how}"
    return words + (f" ({said['reason']})" if said.get("reason") else "")


def _gate(verb: str) -> Callable[[Data], str]:
    def tell(said: Data) -> str:
        late = said.get("late_us")
        words = f"gate {said.get('destination')} was told to {verb}"
        return words + (f", {late / 1000:.2f} ms after its fire point" if isinstance(late, (int, float)) else "")

    return tell


def _trigger(said: Data) -> str:
    serial = f", serial number {said['serial']}" if said.get("serial") else ""
    return f"triggered in lot {said.get('lot') or '(no name)'}{serial}"


def _started(said: Data) -> str:
    model = f" with {said['package']}" if said.get("package") else ""
    recipe = f" and recipe {said['recipe']}" if said.get("recipe") else ""
    return f"the station started{model}{recipe}"


def _lot_closed(said: Data) -> str:
    by = f" by {said['by']}" if said.get("by") else ""
    why = f": {said['why']}" if said.get("why") else ""
    return f"lot {said.get('lot')} was closed{by}{why}"


def _recipe(said: Data) -> str:
    return (
        f"{said.get('by')} ({said.get('role')}) chose recipe {said.get('recipe')} from part {said.get('from_part')} on:"
        f" {said.get('why')}"
    )


def _reset(said: Data) -> str:
    return f"{said.get('by')} ({said.get('role')}) reset the line: {said.get('why')}"


def _pulse(said: Data) -> str:
    if said.get("result") == "CUT_SHORT":
        return f"the pulse of output {said.get('output')} was cut short: {said.get('text')}"
    return (
        f"{said.get('by')} ({said.get('role')}) pulsed output {said.get('output')} for {said.get('pulse_ms')} ms:"
        f" {said.get('why')}"
    )


def _accelerator(said: Data) -> str:
    if said.get("by"):
        why = f": {said['text']}" if said.get("text") else ""
        return f"{said['by']} asked for the parked accelerator again{why}"
    if said.get("phase") == "trusted":
        return f"the accelerator judges ({said.get('text')})"
    return f"the standby judges: {said.get('text')}"


_TELL: Mapping[EventKind, Callable[[Data], str]] = {
    EventKind.STARTED: _started,
    EventKind.TRIGGER: _trigger,
    EventKind.TRIGGER_REPEAT: lambda said: f"no new part: {said.get('text')}",
    EventKind.EXPOSED: lambda said: f"camera {said.get('camera')} was triggered",
    EventKind.FRAME: lambda said: f"its frame from camera {said.get('camera')} came",
    EventKind.FRAME_STRAY: lambda said: f"a frame from camera {said.get('camera')} came that nobody waited for",
    EventKind.CAMERA: lambda said: str(said.get("text") or f"camera {said.get('camera')} works again"),
    EventKind.ACCELERATOR: _accelerator,
    EventKind.JUDGED: _judged,
    EventKind.VERDICT: _verdict,
    EventKind.VERDICT_LATE: lambda said: f"a verdict came too late to count: {said.get('destination')}",
    EventKind.REROUTED: lambda said: f"sent to {said.get('to')} after all ({said.get('reason')})",
    EventKind.GATE_ON: _gate("reject"),
    EventKind.GATE_OFF: _gate("let pass"),
    EventKind.CONFIRMED: lambda said: f"sensor {said.get('sensor')} saw it",
    EventKind.OUTCOME: _outcome,
    EventKind.ALARM: lambda said: f"alarm {said.get('alarm')}: {said.get('text')}",
    EventKind.LATCHED: lambda said: f"the line was stopped, {said.get('cause')}: {said.get('text')}",
    EventKind.RESET: _reset,
    EventKind.PURGE_STARTED: lambda said: f"everything on the next {said.get('mm')} mm of belt is rejected",
    EventKind.PURGE_ENDED: lambda _said: "the belt is purged",
    EventKind.CHALLENGE: lambda said: f"challenge test {str(said.get('result')).lower()}: {said.get('text')}",
    EventKind.PULSE: _pulse,
    EventKind.RECIPE: _recipe,
    EventKind.SERIAL: lambda said: f"its serial number is {said.get('serial')}",
    EventKind.LOT_OPENED: lambda said: f"lot {said.get('lot')} was opened",
    EventKind.LOT_CLOSED: _lot_closed,
}
