"""From a rate to a line that runs at it: what the line has itself where that suffices, otherwise lengths to match."""

from __future__ import annotations

from dataclasses import dataclass

from app.config import CameraSettings, ExitSettings, GateSettings, Line
from app.errors import UsageError
from app.toml import validated
from app.twin.live import live_scenario

LEAST_RATE = 5.0
MOST_RATE = 6000.0
LEAST_PITCH_MM = 20.0
"""Closer together the twin's camera would not know which part it sees."""

COUNTS_PER_S = 2000.0
"""Edges of the encoder that the machine in software makes with ease."""

CHUTE_MS = 45.0
"""The twin's chute sensors cannot tell parts apart that follow each other more quickly: they are then left out."""

LEAST_COUNTS = 10.0
"""The least that a part measures."""

_SPARE = 1.22
_RIPPLE = 1.1


@dataclass(frozen=True, slots=True)
class Geometry:
    """How the parts come.

    Attributes:
        parts_per_min: So many.
        pitch_mm: From leading edge to leading edge.
        length_mm: Length of a part.
        speed_mm_s: Speed of the belt.
        counts_per_mm: Of the encoder.
        transfer_ms: From exposure to frame in memory, of the slowest camera.
        has_chutes: Every gate has a sensor that sees what it rejects.
        is_own: All lengths are the line's own.
    """

    parts_per_min: float
    pitch_mm: float
    length_mm: float
    speed_mm_s: float
    counts_per_mm: float
    transfer_ms: float
    has_chutes: bool
    is_own: bool


def fitted(line: Line, parts_per_min: float) -> tuple[Line, Geometry]:
    """A line at which the twin sends so many parts per minute.

    The gates' lengths follow from the parts' so that each gate has 60 % of the time between two parts, about the centre
    of its own part.

    Args:
        line: The line.
        parts_per_min: The rate.

    Returns:
        The line, changed only where it must be, and how the parts come.

    Raises:
        UsageError: The rate is out of bounds.
        ConfigError: Another setting of the line does not go with these lengths.
    """
    if not LEAST_RATE <= parts_per_min <= MOST_RATE:
        raise UsageError(
            f"{parts_per_min:g} parts per minute cannot be sent", f"ask for {LEAST_RATE:g} to {MOST_RATE:g}"
        )
    pitch_mm = live_scenario(line).pitch_mm
    speed_mm_s = pitch_mm * parts_per_min / 60
    if line.belt.v_min_mm_s <= 0.98 * speed_mm_s and speed_mm_s <= line.belt.v_max_mm_s:
        return line, _told(line, parts_per_min, is_own=True)
    return _derived(line, parts_per_min)


def _derived(line: Line, parts_per_min: float) -> tuple[Line, Geometry]:
    pitch_s = 60 / parts_per_min
    pitch_mm = max(LEAST_PITCH_MM, line.belt.v_max_mm_s * pitch_s)
    speed_mm_s = pitch_mm / pitch_s
    least_mm = round(pitch_mm / _SPARE, 2)
    length_mm = min(line.part.length_mm, 0.5 * pitch_mm)
    own = line.encoder.counts_per_mm
    counts = round(max(LEAST_COUNTS / length_mm, min(own, COUNTS_PER_S / speed_mm_s)), 3)
    values = line.model_dump(by_alias=True, exclude_none=True)
    values["belt"] |= {"v_min_mm_s": round(0.8 * speed_mm_s, 1), "v_max_mm_s": round(_RIPPLE * speed_mm_s, 1)}
    values["part"] |= {"length_mm": length_mm, "min_pitch_mm": least_mm}
    values["encoder"]["counts_per_mm"] = counts
    if line.encoder.driver == "virtual":
        values["encoder"]["speed_mm_s"] = speed_mm_s
    values["camera"] = [_camera(each, pitch_s * 1000) for each in line.cameras]
    values["gate"] = [_gate(each, pitch_mm, length_mm, pitch_s * 1000) for each in line.gates]
    if line.exit:
        values["exit"] = _exit(line.exit, least_mm)
    fit = validated(Line, values, f"the line at {parts_per_min:g} parts per minute")
    return fit, _told(fit, parts_per_min, is_own=False)


def _camera(camera: CameraSettings, pitch_ms: float) -> dict[str, object]:
    return camera.model_dump() | {
        "transfer_ms": round(min(camera.transfer_ms, 0.4 * pitch_ms), 3),
        "exposure_ms": round(min(camera.exposure_ms, 0.1 * pitch_ms), 3),
        "window_ms": round(min(camera.window_ms, 0.25 * pitch_ms), 3),
    }


def _gate(gate: GateSettings, pitch_mm: float, length_mm: float, pitch_ms: float) -> dict[str, object]:
    dwell_mm = min(gate.dwell_mm, 0.6 * pitch_mm)
    values = gate.model_dump(exclude_none=True) | {
        "offset_mm": round(length_mm / 2 - dwell_mm / 2, 2),
        "dwell_mm": round(dwell_mm, 2),
        "min_on_ms": round(min(gate.min_on_ms, 0.4 * pitch_ms), 3),
    }
    if pitch_ms < CHUTE_MS:
        values.pop("chute", None)
    return values


def _exit(exit_: ExitSettings, least_mm: float) -> dict[str, object]:
    return exit_.model_dump(exclude_none=True) | {"tolerance_mm": round(min(exit_.tolerance_mm, 0.4 * least_mm), 2)}


def _told(line: Line, parts_per_min: float, *, is_own: bool) -> Geometry:
    scenario = live_scenario(line, parts_per_min)
    return Geometry(
        parts_per_min=parts_per_min,
        pitch_mm=round(scenario.pitch_mm, 3),
        length_mm=line.part.length_mm,
        speed_mm_s=round(scenario.speed_mm_s, 1),
        counts_per_mm=line.encoder.counts_per_mm,
        transfer_ms=max(camera.transfer_ms for camera in line.cameras),
        has_chutes=all(gate.chute for gate in line.gates),
        is_own=is_own,
    )
