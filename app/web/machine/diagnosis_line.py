"""What the stations, the recorder and the accelerator's process say of themselves, as areas of the diagnostics.

Pure: from what `Live.status` tells of each lane. Ages are in ms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from app.web.machine.diagnosis_answers import Area, Fact, Remark, area

OLD_MS = 1_000.0
"""Older words count as NO DATA."""

MOST_BAD_SHARE = 0.001
"""A camera that loses more of its frames is worth a look: each is a part that was rejected."""

MOST_RING_SHARE = 0.5
_ABNORMAL = {"DEGRADED": "look", "PURGING": "look", "STOPPED": "wrong", "NO_CAMERA": "wrong"}
_NOT_GRANTED = ("not permitted", "not locked", "failed", "cannot be had", "LimitRTTIME")
"""How it sounds where the system has not granted what a station asked for (`app/realtime.py`)."""


def is_fresh(view: dict[str, Any]) -> bool:
    """A lane's station has said something within the last second."""
    age_ms = view["age_ms"]
    return view["status"] is not None and age_ms is not None and age_ms <= OLD_MS


def line_area(views: Sequence[dict[str, Any]]) -> Area:
    """State and latches of the lanes."""
    facts: list[Fact] = []
    remarks: list[Remark] = []
    for of, view in _named(views):
        status = view["status"]
        if not is_fresh(view):
            facts.append(Fact(key="state", value="state.NO_DATA", unit="words", of=of, level="wrong"))
            remarks.append(Remark(key="no_station", level="wrong", values={"lane": view["lane"]}))
            continue
        level = _ABNORMAL.get(status["state"], "fine")
        facts += [
            Fact.model_validate(
                {"key": "state", "value": f"state.{status['state']}", "unit": "words", "of": of, "level": level}
            ),
            Fact(key="for", value=status["for_ms"], unit="span", of=of),
            Fact(key="permitted", value=status["is_permitted"], unit="yes", of=of),
            Fact(key="speed", value=status["speed_mm_s"], unit="mm_s", of=of),
            Fact(key="latches", value=len(status["latches"]), unit="count", of=of),
        ]
        if status["why"] and not status["latches"]:
            values = {"cause": status["state"], "why": status["why"], "code": status["code"]}
            remarks.append(Remark.model_validate({"key": "why", "level": level, "values": values}))
        remarks += [
            Remark(key="latch", level="wrong", values={"cause": each["cause"], "why": each["text"]})
            for each in status["latches"]
        ]
    return area("line", facts, remarks)


def camera_area(views: Sequence[dict[str, Any]]) -> Area:
    """Every camera of every lane."""
    facts: list[Fact] = []
    remarks: list[Remark] = []
    for lane, view in _named(views):
        for camera in view["status"]["cameras"] if is_fresh(view) else ():
            of = f"{lane}, {camera['name']}" if lane else camera["name"]
            lost = camera["dropped"] + camera["refused"]
            is_bad = lost > MOST_BAD_SHARE * max(1, camera["frames"])
            level: Any = "look" if is_bad else "fine"
            facts += [
                Fact(key="frames", value=camera["frames"], unit="count", of=of),
                Fact(key="last_frame", value=camera["for_ms"], unit="span", of=of),
                Fact(key="dropped", value=camera["dropped"], unit="count", of=of, level=level),
                Fact(key="refused", value=camera["refused"], unit="count", of=of, level=level),
                Fact(key="reopened", value=camera["reopened"], unit="count", of=of),
            ]
            if camera["text"]:
                values = {"camera": of, "why": camera["text"], "code": camera["code"]}
                remarks.append(Remark.model_validate({"key": "camera", "level": "wrong", "values": values}))
            elif is_bad:
                remarks.append(Remark(key="frames_lost", level="look", values={"camera": of, "frames": lost}))
    if not facts:
        remarks.append(Remark(key="no_cameras", level="unknown"))
    return area("cameras", facts, remarks)


def judging_area(views: Sequence[dict[str, Any]]) -> Area:
    """What judges, how fast, and how the accelerator stands with each station."""
    facts: list[Fact] = []
    remarks: list[Remark] = []
    for of, view in _named(views):
        if not is_fresh(view):
            continue
        status, latency = view["status"], view["latency"]
        p99_ms, budget_ms = latency["p99_ms"], latency["budget_ms"]
        is_late = p99_ms is not None and p99_ms > budget_ms
        facts += [
            Fact(key="package", value=status["package"] or None, unit="text", of=of),
            Fact(key="runtime", value=status["runtime"] or None, unit="text", of=of),
            Fact(key="p50", value=latency["p50_ms"], unit="ms", of=of),
            Fact(key="p99", value=p99_ms, unit="ms", of=of, level="look" if is_late else "fine"),
            Fact(key="budget", value=budget_ms, unit="ms", of=of),
            Fact(key="misses", value=status["misses"], unit="count", of=of),
            Fact(key="failovers", value=status["failovers"], unit="count", of=of),
        ]
        if is_late:
            remarks.append(Remark(key="late", level="look", values={"p99": p99_ms, "budget": budget_ms}))
        remarks += [Remark(key="unused", level="fine", values={"why": each}) for each in status["unused"]]
        if status["accelerator"]:
            _accelerator(status["accelerator"], of, facts, remarks)
    if not facts:
        remarks.append(Remark(key="not_judging", level="unknown"))
    return area("judging", facts, remarks)


def recorder_area(views: Sequence[dict[str, Any]]) -> Area:
    """The recorder, and how full the rings are that wait for it."""
    recorder = views[0]["recorder"] if views else None
    facts: list[Fact] = []
    remarks: list[Remark] = []
    if recorder is None or recorder["age_ms"] > OLD_MS:
        remarks.append(Remark(key="no_recorder", level="wrong"))
    if recorder is not None:
        facts += [
            Fact(key="told", value=recorder["age_ms"], unit="span"),
            Fact(key="rows", value=_figure(recorder, "rows"), unit="count"),
            Fact(key="backlog", value=_figure(recorder, "backlog_bytes"), unit="bytes"),
            Fact(key="pictures_lost", value=_sum(recorder, "dropped_"), unit="count"),
            Fact(key="pictures_deleted", value=_sum(recorder, "deleted_"), unit="count"),
        ]
        if recorder.get("policy"):
            level: Any = "look" if recorder["is_short_of_room"] else "fine"
            facts.append(Fact(key="policy", value=str(recorder["policy"]), unit="text", level=level))
        if recorder.get("error"):
            remarks.append(Remark(key="recorder", level="wrong", values={"why": str(recorder["error"])}))
    for of, view in _named(views):
        if is_fresh(view):
            share = view["status"]["ring_share"]
            is_full = share > MOST_RING_SHARE
            facts.append(Fact(key="ring", value=share, unit="share", of=of, level="look" if is_full else "fine"))
            if is_full:
                remarks.append(Remark(key="ring", level="look", values={"lane": view["lane"]}))
    return area("recorder", facts, remarks)


def granted_facts(views: Sequence[dict[str, Any]]) -> tuple[list[Fact], list[Remark]]:
    """What the kernel has granted the stations' threads."""
    told = [(of, view["status"]["scheduling"]) for of, view in _named(views) if is_fresh(view)]
    facts, remarks = [], []
    for of, words in told:
        is_given = words and not any(mark in words for mark in _NOT_GRANTED)
        level: Any = "fine" if is_given else "look" if words else "unknown"
        facts.append(Fact(key="granted", value=words or None, unit="text", of=of, level=level))
        if level == "look":
            remarks.append(Remark(key="not_granted", level="look"))
    return facts, remarks[:1]


def slowest(views: Sequence[dict[str, Any]]) -> tuple[float | None, float]:
    """The p99 of the lane that comes closest to its budget, and that budget, in ms."""
    known = [view["latency"] for view in views if is_fresh(view) and view["latency"]["p99_ms"] is not None]
    if not known:
        return None, views[0]["latency"]["budget_ms"] if views else 0.0
    found = max(known, key=lambda each: each["p99_ms"] / max(each["budget_ms"], 1e-6))
    return found["p99_ms"], found["budget_ms"]


def _accelerator(said: dict[str, Any], of: str, facts: list[Fact], remarks: list[Remark]) -> None:
    level: Any = {"trusted": "fine", "parked": "wrong"}.get(said["phase"], "look")
    facts += [
        Fact(key="accelerator", value=f"diagnosis.phase.{said['phase']}", unit="words", of=of, level=level),
        Fact(key="for", value=said["for_ms"], unit="span", of=of),
        Fact(key="standby", value=said["standby"] or None, unit="text", of=of),
        Fact(key="failures", value=said["failures"], unit="count", of=of),
        Fact(key="promotions", value=said["promotions"], unit="count", of=of),
    ]
    if said["why"]:
        values = {name: said[name] for name in ("phase", "why", "code")}
        remarks.append(Remark(key="accelerator", level=level, values=values))
    if said["asks_mm_s"] is not None:
        remarks.append(Remark(key="slower", level="look", values={"speed": said["asks_mm_s"]}))


def _named(views: Sequence[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each lane with its name; without one where there is but one."""
    for view in views:
        yield (str(view["name"] or view["lane"]) if len(views) > 1 else "", view)


def _figure(said: dict[str, Any], name: str) -> float | int | None:
    value = said.get(name)
    return value if isinstance(value, (int, float)) else None


def _sum(said: dict[str, Any], prefix: str) -> float | int:
    return sum(each for key, each in said.items() if key.startswith(prefix) and isinstance(each, (int, float)))
