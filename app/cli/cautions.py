"""What a line does at start, what stops it, and what it cannot see: in words. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from app.cli.journey import MS_PER_S, Slack, slack_of
from app.config import GateSettings, Line
from app.detect.standby import picture_ms_of
from app.reject.arriving import QUEUE_MARGIN
from app.reject.stops import StopCause
from app.reject.watchdog import LOOKS_PER_TOGGLE


@dataclass(frozen=True, slots=True)
class Stop:
    """One thing that stops the line until a person resets it.

    Attributes:
        cause: Its name on the screen and in the ledger.
        text: What happens, in words.
    """

    cause: StopCause
    text: str


TIGHT_MS = 5.0
"""Slack below which one late frame becomes a reject."""


def start_in_words(line: Line) -> tuple[str, ...]:
    """What happens when the station starts, after a reset and after an encoder fault (rule 7)."""
    gate = line.default_gate
    unseen_mm = max(each.position_mm for each in line.gates) + line.belt.stop_mm
    stretch = (
        f"{unseen_mm:g} mm of belt ({unseen_mm - line.belt.stop_mm:g} to the last gate, {line.belt.stop_mm:g} coasting)"
    )
    if gate.is_pulse:
        why = f"a {gate.kind} cannot reject parts that nobody saw"
        return (f"the line stays stopped (NOT_CLEARED) until a person confirms that {stretch} are cleared: {why}",)
    purge = f"the gate {gate.destination!r} stays open for {stretch}, and all parts on it are rejected (PURGED)"
    return (
        f"the belt purges itself: {purge}",
        "after that the line runs; every gate but the first stays at pass while the belt is purged"
        if len(line.gates) > 1
        else "after that the line runs",
    )


def stops_in_words(line: Line) -> tuple[Stop, ...]:
    """Everything that latches a stop on this line, as the causes are called on the screen and in the ledger."""
    return (*_counted_stops(line), *_seen_stops(line), *_machine_stops(line))


def warnings_in_words(line: Line) -> tuple[str, ...]:
    """What works, but leaves something unseen or has little to spare."""
    found = [*_weak_safety(line), *_weak_standby(line), *_weak_sensing(line)]
    for gate in line.gates:
        found += _weak_gate(line, gate)
    found += [_tight(each) for each in slack_of(line) if each.slack_ms < TIGHT_MS]
    return tuple(found)


def _counted_stops(line: Line) -> Iterator[Stop]:
    stops = line.stops
    if stops.consecutive_rejects:
        yield Stop(StopCause.CONSECUTIVE_REJECTS, f"{stops.consecutive_rejects} rejects in a row")
    if stops.reject_rate:
        among = f"the last {stops.rate_window_parts} parts"
        yield Stop(StopCause.REJECT_RATE, f"more than {stops.reject_rate:.0%} rejects among {among}")
    if stops.repeated_alarms:
        kinds = "lost, unexpectedly rejected or unseen parts"
        text = f"{stops.repeated_alarms} alarms ({kinds}) within {stops.alarm_window_parts} parts"
        yield Stop(StopCause.REPEATED_ALARMS, text)
    capacity = math.ceil(max(each.position_mm for each in line.gates) / line.part.min_pitch_mm) + QUEUE_MARGIN
    yield Stop(StopCause.QUEUE_OVERFLOW, f"more than {capacity} parts between sensor and gate")


def _seen_stops(line: Line) -> Iterator[Stop]:
    chutes = ", ".join(repr(gate.destination) for gate in line.gates if gate.chute)
    if chutes:
        yield Stop(StopCause.MISSED_REJECT, f"a reject that its chute sensor ({chutes}) does not see")
    if line.exit:
        yield Stop(StopCause.BAD_AT_EXIT, "a bad part at the exit sensor")
        yield Stop(StopCause.EXTRA_PART, "a part at the exit sensor that no trigger announced")
    yield Stop(StopCause.BAD_NOT_REJECTED, "a bad part that passed its gate before the gate could act")
    for gate in line.gates:
        if gate.bin_full:
            yield Stop(StopCause.BIN_FULL, f"bin {gate.destination!r} is full")
        if gate.bin_open:
            yield Stop(StopCause.BIN_OPEN, f"bin {gate.destination!r} is open")
    if line.exit or chutes:
        yield Stop(StopCause.CHALLENGE_FAILED, "a challenge test whose known-bad parts were not all rejected")


def _machine_stops(line: Line) -> Iterator[Stop]:
    if line.stops.air_low:
        yield Stop(StopCause.AIR_LOW, "the air pressure is low")
    if line.trigger.source == "sensor":
        covered = f"the part sensor is covered for {line.trigger.blocked_mm:g} mm of belt"
        yield Stop(StopCause.SENSOR_BLOCKED, covered)
    if line.trigger.vision and line.trigger.source == "vision":
        blind = f"camera {line.trigger.vision.camera} gives no pictures: parts would pass unseen"
        yield Stop(StopCause.UNWATCHED, blind)
    if line.handshake.stopped:
        yield Stop(StopCause.EXTERNAL_STOP, "the line is stopped from outside, as by its emergency stop")
    if line.encoder.driver != "virtual":
        running = f", or nothing for {line.encoder.still_ms:g} ms while the belt runs" if line.belt.running else ""
        yield Stop(StopCause.ENCODER_STILL, f"the encoder counts nothing while parts go by{running}")
        yield Stop(StopCause.ENCODER_FAULT, "the encoder skips states, or cannot be read: the belt position is lost")
        yield Stop(StopCause.BELT_BACKWARDS, "the encoder counts backwards")
    if line.model.accelerator != "none" and line.model.degraded == "stop":
        yield Stop(StopCause.STANDBY_SLOW, f"the accelerator is away and {_too_slow(line)}")
    for gate in line.gates:
        if gate.is_pulse:
            limit = f"on for {gate.max_on_ms:g} ms, which its coil allows, with a part before it"
            yield Stop(StopCause.GATE_TIMEOUT, f"gate {gate.destination!r} is {limit}")
    yield Stop(StopCause.OUTPUT_FAULT, "an output does not take its level")
    ring = f"{line.storage.ring_mb:g} MB of events wait for the recorder, or its disk has no room for the ledger"
    yield Stop(StopCause.LEDGER_FULL, ring)
    yield Stop(StopCause.OPERATOR, "a person at the machine stops it")


def _too_slow(line: Line) -> str:
    return f"its standby needs more than the {picture_ms_of(line):.1f} ms that full speed leaves it for a picture"


def _weak_standby(line: Line) -> Iterator[str]:
    model = line.model
    if model.accelerator != "none" and model.degraded != "stop":
        wish = "the status asks for the speed that it holds" if model.degraded == "slow" else "nothing asks for less"
        yield (
            f"model.degraded = {model.degraded}: where the accelerator is away and {_too_slow(line)}, {wish} and parts"
            " without a verdict in time are rejected"
        )
    if line.permit is None:
        return
    spare_ms = line.permit.hold_ms - line.permit.toggle_ms * (1 + 1 / LOOKS_PER_TOGGLE)
    if 2 * model.verdict_ms > spare_ms:
        yield (
            f"a verdict that takes twice model.verdict_ms = {model.verdict_ms:g} drops the permit, which stops the"
            f" line: permit.hold_ms leaves it {spare_ms:g} ms"
        )


def _weak_safety(line: Line) -> Iterator[str]:
    if line.permit is None:
        yield "there is no permit relay ([permit]): nothing stops the belt when this box dies or hangs"
    if line.model.standby == "none" and line.model.accelerator == "none":
        yield "there is no standby (model.standby): while the detector fails, every part is rejected"
    if not line.challenge.interval_h and not line.challenge.at_lot_start:
        yield "no challenge test is ever due ([challenge]): that the gate still rejects is proven only by hand"
    off = {
        "stops.consecutive_rejects": line.stops.consecutive_rejects,
        "stops.reject_rate": line.stops.reject_rate,
        "stops.repeated_alarms": line.stops.repeated_alarms,
    }
    for key, value in off.items():
        if not value:
            yield f"{key} = 0 switches that stop off"


def _weak_sensing(line: Line) -> Iterator[str]:
    if line.encoder.driver == "virtual":
        yield "the encoder is virtual: slip and changes of speed move parts unnoticed, and parts are missed by as much"
    elif line.belt.running is None:
        yield "belt.running is not wired: an encoder that has stopped looks like a belt that has"
    if line.trigger.source == "software":
        yield "parts are triggered by software: a part that is not where it is expected is not seen"
    elif line.trigger.sensor and not line.trigger.sensor.debounce_ms:
        yield "trigger.sensor.debounce_ms = 0: a bouncing sensor makes parts that are not there"
    if line.exit is None:
        yield "there is no exit sensor ([exit]): good parts stay UNCONFIRMED, a bad one that leaves is not noticed"


def _weak_gate(line: Line, gate: GateSettings) -> Iterator[str]:
    name = f"gate {gate.destination!r}"
    if gate.chute is None:
        yield f"{name} has no chute sensor: its rejects stay UNCONFIRMED"
    if gate.bin_full is None:
        yield f"{name} has no bin_full input: a full bin is not noticed"
    half_mm = line.part.length_mm / 2
    on_mm = max(gate.dwell_mm, line.belt.v_max_mm_s * gate.min_on_ms / MS_PER_S)
    first_mm, last_mm = gate.offset_mm, gate.offset_mm + on_mm
    if not first_mm <= half_mm < gate.offset_mm + gate.dwell_mm:
        yield (
            f"{name} acts from {gate.offset_mm:g} to {gate.offset_mm + gate.dwell_mm:g} mm behind the leading edge, and"
            f" the part's middle lies at {half_mm:g}: it may not be taken; change offset_mm or dwell_mm"
        )
    if half_mm - line.part.min_pitch_mm >= first_mm or half_mm + line.part.min_pitch_mm < last_mm:
        yield f"{name} stays on long enough to take a good neighbour at part.min_pitch_mm along (REJECT_COLLATERAL)"


def _tight(slack: Slack) -> str:
    return (
        f"gate {slack.gate!r} has {slack.slack_ms:.1f} ms ({slack.slack_mm:.1f} mm) to spare after camera"
        f" {slack.camera!r} at full speed: a frame later than that is a reject"
    )
