"""The rules across the tables of a `line.toml`: what is right by itself may still not work together."""

from __future__ import annotations

import math

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
        *_idle_gates(line),
        *_late_verdicts(line),
        *_wrong_pulses(line),
        *_wrong_permit(line),
        *_wrong_handshake(line),
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
    problems += _wrong_encoder(line)
    encoder = line.encoder
    if encoder.driver == "gpio" and (encoder.a is None or encoder.b is None):
        problems.append("encoder.driver = gpio needs the pins encoder.a and encoder.b")
    if encoder.driver == "virtual" and (encoder.speed_mm_s is None or line.belt.running is None):
        problems.append("encoder.driver = virtual needs encoder.speed_mm_s and the input belt.running")
    if line.trigger.source == "sensor" and line.trigger.sensor is None:
        problems.append("trigger.source = sensor needs trigger.sensor with its pin")
    problems += _wrong_vision(line)
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
    problems += _wrong_model(line)
    problems += [
        f"camera {c.name!r}: driver {c.driver} needs camera.source"
        for c in line.cameras
        if c.driver != "twin" and not c.source
    ]
    return problems


def _wrong_model(line: Sheet) -> list[str]:
    problems, model = [], line.model
    if model.runtime == "blank" and any(camera.driver != "twin" for camera in line.cameras):
        problems.append(
            "model.runtime = blank finds nothing and would pass every part: it is for measuring on the twin; name the"
            " runtime that judges"
        )
    if model.accelerator == "none":
        return problems
    if model.accelerator == "sick" and any(camera.driver != "twin" for camera in line.cameras):
        problems.append(
            "model.accelerator = sick fails when it is told to, which is for the twin: name the runtime that judges, or"
            " none"
        )
    if model.standby != "none":
        problems.append(
            f"model.standby = {model.standby} and model.accelerator = {model.accelerator}: with an accelerator"
            " model.runtime is the standby; set model.standby = none"
        )
    if model.runtime == "blank":
        problems.append("model.runtime = blank is no standby: name the runtime that judges without the accelerator")
    return problems


def _wrong_encoder(line: Sheet) -> list[str]:
    problems = []
    encoder = line.encoder
    if encoder.driver == "counter" and encoder.counter is None:
        problems.append("encoder.driver = counter needs encoder.counter, as counter0/count0")
    if encoder.driver == "counter" and any(camera.driver == "twin" for camera in line.cameras):
        problems.append("encoder.driver = counter counts a real belt, and the twin has none: use gpio")
    if encoder.driver == "virtual" and encoder.reverse:
        problems.append("encoder.reverse means nothing where encoder.driver = virtual: leave it out")
    wanted, limit = line.belt.v_max_mm_s * encoder.counts_per_mm, encoder.limit_counts_s
    if limit and wanted > limit:
        finest = math.floor(1000 * limit / line.belt.v_max_mm_s) / 1000
        other = ", or count by the kernel (encoder.driver = counter)" if encoder.driver == "gpio" else ""
        problems.append(
            f"the encoder gives {wanted:,.0f} counts per second at belt.v_max_mm_s, more than the {limit:,.0f} that its"
            f" driver {encoder.driver} counts safely (encoder.max_counts_per_s): use a coarser one, up to {finest:g}"
            f" counts per mm{other}"
        )
    return problems


def _wrong_vision(line: Sheet) -> list[str]:
    vision = line.trigger.vision
    if line.trigger.source != "vision":
        return []
    if vision is None:
        return ["trigger.source = vision needs the table [trigger.vision]"]
    watching = [camera for camera in line.cameras if camera.name == vision.camera]
    if not watching:
        names = ", ".join(camera.name for camera in line.cameras)
        return [f"trigger.vision.camera {vision.camera!r} is no camera of this line: name one of {names}"]
    if watching[0].driver == "folder":
        return [f"trigger.vision.camera {vision.camera!r} shows pictures of a folder, not a belt: use another driver"]
    problems = []
    if watching[0].driver in ("gige", "twin") and watching[0].trigger != "free":
        problems.append(f'camera {vision.camera!r} sees parts come and must run freely: set its trigger = "free"')
    if any(camera.position_mm < watching[0].position_mm for camera in line.cameras):
        problems.append(
            f"camera {vision.camera!r} sees parts come, and another one lies upstream of it, where no part is known"
            " yet: move that one downstream, or watch with it"
        )
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


def _idle_gates(line: Sheet) -> list[str]:
    """Gates that could never take a part: its middle decides (REJECT_TRACKING, rule 6), so each reject would stop."""
    half_mm = line.part.length_mm / 2
    problems = []
    for gate in line.gates:
        shortest_mm = line.belt.v_min_mm_s * gate.min_on_ms / 1000 if gate.is_pulse else 0.0
        end_mm = gate.offset_mm + max(gate.dwell_mm, shortest_mm)
        if not gate.offset_mm <= half_mm < end_mm:
            problems.append(
                f"gate {gate.destination!r} acts from {gate.offset_mm:g} to {end_mm:g} mm behind the leading edge and"
                f" misses the middle of every part, at {half_mm:g}: change offset_mm or dwell_mm"
            )
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
    round_ms = _round_ms(line)
    problems += [
        f"gate {g.destination!r}: refresh_ms must be at least {2 * round_ms:g}, twice the time between two refreshes"
        for g in line.gates
        if not g.is_pulse and g.refresh_ms < 2 * round_ms
    ]
    return problems


def _wrong_handshake(line: Sheet) -> list[str]:
    least_ms = 2 * _round_ms(line)
    if line.handshake.outputs and line.handshake.refresh_ms < least_ms:
        return [f"handshake.refresh_ms must be at least {least_ms:g}, twice the time between two refreshes"]
    return []


def _round_ms(line: Sheet) -> float:
    """The time between two refreshes of held outputs."""
    return line.permit.toggle_ms if line.permit else IDLE_MS
