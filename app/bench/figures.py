"""The figures of a run as plain values, fit for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from app.bench.course import Course, Plan
from app.bench.geometry import Geometry
from app.bench.ground import device, versions
from app.bench.loads import LOADS, Load
from app.bench.tape import LEADING, Tape, figures_of

TO_EDGE = "frame_to_edge"
"""From the frame in memory to the pin's edge of a gate that acts at once: the verdict's time and the command's, added
percentile by percentile, which is more than any one part took."""

SHARES = ("p50", "p95", "p99", "p999", "max")
_DIGITS = 4


def figures(
    plan: Plan,
    course: Course,
    geometry: Geometry,
    loads: Sequence[Load],
    load_average: Mapping[str, Sequence[float]],
) -> dict[str, Any]:
    """Everything that a run gives.

    Args:
        plan: What was run.
        course: The run, gone through to its end.
        geometry: How the parts came.
        loads: The neighbours.
        load_average: Of the machine, before and after.
    """
    tape, status, account = course.tape, course.status, course.account
    assert tape is not None
    assert status is not None
    assert account is not None
    quiet, loaded = plan.numbers(is_loaded=False), plan.numbers(is_loaded=True)
    found: dict[str, Any] = {
        "parts": sum(plan.blocks[number].parts for number in quiet),
        "warm_up": plan.warm_up,
        "geometry": asdict(geometry),
        "package": status.package,
        "runtime": status.runtime,
        "budget_ms": status.budget_ms,
        "stages": _stages(tape, quiet),
        "slowest": _slowest(tape, quiet),
        "misses": _misses(tape, quiet, status.budget_ms),
    }
    if loads:
        found |= {
            "loads": {load.name: {"what": LOADS[load.name], "done": load.done()} for load in loads},
            "stages_with_load": _stages(tape, loaded),
            "slowest_with_load": _slowest(tape, loaded),
            "misses_with_load": _misses(tape, loaded, status.budget_ms),
            "blocks": [{"is_loaded": each.is_loaded, "parts": each.parts} for each in plan.blocks],
        }
        found["ratios"] = _ratios(found["stages"], found["stages_with_load"])
    return found | {
        "account": asdict(account),
        "stray_frames": status.stray_frames,
        "failovers": status.failovers,
        "state": status.state.value,
        "scheduling": status.scheduling,
        "load_average": {when: list(each) for when, each in load_average.items()},
        "versions": versions(status.runtime),
        "device": device(),
    }


def _stages(tape: Tape, blocks: Sequence[int]) -> dict[str, dict[str, float]]:
    found = {stage: asdict(figures_of(tape.times_ms(stage, blocks))) for stage in tape.stages}
    whole, command = found[LEADING], found["command"]
    if command["count"]:
        found[TO_EDGE] = {share: whole[share] + command[share] for share in SHARES} | {"count": command["count"]}
    return {stage: {key: round(value, _DIGITS) for key, value in each.items()} for stage, each in found.items()}


def _slowest(tape: Tape, blocks: Sequence[int]) -> list[dict[str, float]]:
    return [{"part": each.part_id, "ms": each.took_ms} for each in tape.slowest(blocks)]


def _misses(tape: Tape, blocks: Sequence[int], budget_ms: float) -> int:
    return int((tape.times_ms(LEADING, blocks) > budget_ms).sum())


def _ratios(
    quiet: Mapping[str, Mapping[str, float]], loaded: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float | None]]:
    """With load over without; `None` where there is nothing to divide by."""
    return {
        stage: {
            share: round(loaded[stage][share] / each[share], 3) if each[share] and stage in loaded else None
            for share in ("p50", "p99")
        }
        for stage, each in quiet.items()
    }
