"""The rules across the tables of a `line.toml`: what is right by itself may still not work together."""

from __future__ import annotations

from app.config.camera import CameraSettings
from app.config.sheet import Sheet, pins_of
from app.config.tables import GateSettings

LEAST_COUNTS = 8
IDLE_MS = 20.0
"""The station looks at everything at least so often: held outputs without a permit relay are refreshed at this pace."""


def problems_of(line: Sheet) -> tuple[str, ...]:
    """Why a line cannot work: one sentence with its mend for each problem."""
    return (
        *_repeated_pins(line),
        *_wrong_sources(line),
        *_wrong_geometry(line),
        *_late_verdicts(line),
        *_wrong_pulses(line),
        *_wrong_permit(line),
    )


def _repeated_pins(line: Sheet) -> list[str]:
    owner: dict[str, str] = {}
    problems = []
    for name, pin in pins_of(line):
        key = str(pin).upper().removeprefix("GPIO")
        if key in owner:
            problems.append(f"pin {pin} is claimed twice, by {owner[key]} and by {name}: give one of them another pin")
        owner.setdefault(key, name)
    return problems


def _wrong_sources(line: Sheet) -> list[str]:
    problems = []
    encoder = line.encoder
    if encoder.driver == "gpio" and (encoder.a is None or encoder.b is None):
        problems.append("encoder.driver = gpio needs the pins encoder.a and encoder.b")
    if encoder.driver == "virtual" and (encoder.speed_mm_s is None or line.belt.running is None):
        problems.append("encoder.driver = virtual needs encoder.speed_mm_s and the input belt.running")
    if line.trigger.source == "sensor" and line.trigger.sensor is None:
        problems.append("trigger.source = sensor needs trigger.sensor with its pin")
    if line.trigger.source == "software" and line.trigger.every_mm is None:
        problems.append("trigger.source = software needs trigger.every_mm")
    if line.trigger.every_mm is not None and line.trigger.every_mm < line.part.min_pitch_mm:
        problems.append("trigger.every_mm is below part.min_pitch_mm: every part would touch the one before")
    if line.encoder.counts_per_mm * line.part.length_mm < LEAST_COUNTS:
        problems.append(
            f"encoder.counts_per_mm gives fewer than {LEAST_COUNTS} counts per part: too coarse to reject by"
        )
    for kind, names in (
        ("gate.destination", [g.destination for g in line.gates]),
        ("camera.name", [c.name for c in line.cameras]),
    ):
        problems += [
            f"{kind} {n!r} is used twice: every name once" for n in sorted({n for n in names if names.count(n) > 1})
        ]
    problems += [
        f"gate.destination {g.destination!r} is the word for parts that stay on the belt: choose another"
        for g in line.gates
        if g.destination == "pass"
    ]
    if line.model.runtime == "blank" and any(camera.driver != "twin" for camera in line.cameras):
        problems.append(
            "model.runtime = blank finds nothing and would pass every part: it is for measuring on the twin; name the"
            " runtime that judges"
        )
    problems += [
        f"camera {c.name!r}: driver {c.driver} needs camera.source"
        for c in line.cameras
        if c.driver != "twin" and not c.source
    ]
    return problems


def _wrong_geometry(line: Sheet) -> list[str]:
    problems = []
    if line.belt.v_min_mm_s > line.belt.v_max_mm_s:
        problems.append("belt.v_min_mm_s is above belt.v_max_mm_s: exchange them")
    if line.part.min_pitch_mm <= line.part.length_mm:
        problems.append("part.min_pitch_mm must be above part.length_mm: parts that close cannot be told apart")
    if line.trigger.blocked_mm <= line.part.length_mm:
        problems.append("trigger.blocked_mm must be above part.length_mm: every part would count as a blocked sensor")
    last = max(line.gates, key=lambda gate: gate.position_mm + gate.offset_mm + gate.dwell_mm)
    end_mm = last.position_mm + max(last.offset_mm + last.dwell_mm, line.part.length_mm)
    if line.exit and line.exit.position_mm - line.exit.tolerance_mm < end_mm:
        problems.append(
            f"exit.position_mm less its tolerance must be at least {end_mm:g}, past the last gate's dwell and the"
            f" part's length; it is {line.exit.position_mm - line.exit.tolerance_mm:g}"
        )
    problems += [
        f"gate {g.destination!r}: chute.from_mm must be below chute.to_mm"
        for g in line.gates
        if g.chute and g.chute.from_mm >= g.chute.to_mm
    ]
    if line.exit and 2 * line.exit.tolerance_mm >= line.part.min_pitch_mm:
        problems.append("exit.tolerance_mm must be below half of part.min_pitch_mm, or two parts share one window")
    return problems


def needed_mm(line: Sheet, camera: CameraSettings, gate: GateSettings) -> float:
    """Belt between camera and gate that a verdict takes at full speed (REJECT_TRACKING rule 4), in mm."""
    total_ms = camera.exposure_ms + camera.transfer_ms + line.model.verdict_ms + gate.lag_ms + gate.margin_ms
    return line.belt.v_max_mm_s * total_ms / 1000


def _late_verdicts(line: Sheet) -> list[str]:
    problems = []
    for gate in line.gates:
        for camera in line.cameras:
            there_mm = gate.position_mm + gate.offset_mm - camera.position_mm
            short_mm = needed_mm(line, camera, gate) - there_mm
            if short_mm >= 0:
                problems.append(
                    f"gate {gate.destination!r} is too close to camera {camera.name!r}: a verdict takes"
                    f" {needed_mm(line, camera, gate):.1f} mm of belt at {line.belt.v_max_mm_s:g} mm/s and there are"
                    f" {there_mm:.1f}; move the gate {short_mm + 0.1:.1f} mm downstream or lower belt.v_max_mm_s"
                )
    for camera in line.cameras:
        pitch_ms = 1000 * line.part.min_pitch_mm / line.belt.v_max_mm_s
        if camera.binding == "one_outstanding" and camera.exposure_ms + camera.transfer_ms >= pitch_ms:
            problems.append(
                f"camera {camera.name!r}: binding one_outstanding needs exposure_ms + transfer_ms below {pitch_ms:.1f}"
                " ms, the time between two parts at part.min_pitch_mm and belt.v_max_mm_s; use counter, or space them"
            )
    return problems


def _wrong_pulses(line: Sheet) -> list[str]:
    problems = []
    for gate in line.gates:
        longest_ms = max(1000 * gate.dwell_mm / line.belt.v_min_mm_s, gate.min_on_ms)
        if gate.is_pulse and longest_ms > gate.max_on_ms:
            problems.append(
                f"gate {gate.destination!r}: a dwell of {gate.dwell_mm:g} mm lasts {longest_ms:.0f} ms at"
                f" belt.v_min_mm_s, longer than max_on_ms = {gate.max_on_ms:g}, which the coil allows; shorten dwell_mm"
                " or raise belt.v_min_mm_s"
            )
    return problems


def _wrong_permit(line: Sheet) -> list[str]:
    problems = []
    if line.permit and line.permit.hold_ms < 3 * line.permit.toggle_ms:
        problems.append(
            "permit.hold_ms must be at least three times permit.toggle_ms: only every second toggle energises the"
            " output, and so holds the relay"
        )
    round_ms = line.permit.toggle_ms if line.permit else IDLE_MS
    problems += [
        f"gate {g.destination!r}: refresh_ms must be at least {2 * round_ms:g}, twice the time between two refreshes"
        for g in line.gates
        if not g.is_pulse and g.refresh_ms < 2 * round_ms
    ]
    return problems
