"""One part's journey down a line in figures, the slack of its gates, and its pins. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from app.config import CameraSettings, GateSettings, Line, inputs_of, outputs_of

MS_PER_S = 1000.0


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment of a part's journey, as belt travelled since its leading edge met the part sensor.

    Attributes:
        name: What happens, in a word or two.
        text: The same in a sentence.
        fast_mm: Belt travelled at `belt.v_max_mm_s`.
        slow_mm: Belt travelled at `belt.v_min_mm_s`.
        fast_ms: Time gone by at `belt.v_max_mm_s`.
        slow_ms: Time gone by at `belt.v_min_mm_s`.
    """

    name: str
    text: str
    fast_mm: float
    slow_mm: float
    fast_ms: float
    slow_ms: float


@dataclass(frozen=True, slots=True)
class Slack:
    """What is left between the latest verdict and a gate's cut-off, at full speed.

    Attributes:
        gate: The gate's destination.
        camera: The camera.
        needed_mm: Belt that exposure, transfer, verdict, lag and margin take.
        slack_mm: Belt that is left over.
        slack_ms: The same as time.
    """

    gate: str
    camera: str
    needed_mm: float
    slack_mm: float
    slack_ms: float


@dataclass(frozen=True, slots=True)
class Claim:
    """One pin and who claims it.

    Attributes:
        pin: The pin, as the file names it.
        claimant: Such as `part` or `gate:reject`.
        text: Direction, polarity and debouncing in words.
    """

    pin: str
    claimant: str
    text: str


def journey_of(line: Line) -> tuple[Moment, ...]:
    """One part's journey; of several gates, each as if the part went to it."""
    moments = chain(
        [_trigger(line)],
        chain.from_iterable(_camera(line, camera) for camera in line.cameras),
        chain.from_iterable(_gate(line, gate) for gate in line.gates),
        _exit(line),
    )
    return tuple(sorted(moments, key=lambda moment: moment.fast_mm))


def slack_of(line: Line) -> tuple[Slack, ...]:
    """The slack of every gate against every camera; never negative in a line that loads."""
    found = []
    for gate in line.gates:
        for camera in line.cameras:
            needed_ms = camera.exposure_ms + camera.transfer_ms + line.model.verdict_ms + gate.lag_ms + gate.margin_ms
            needed_mm = line.belt.v_max_mm_s * needed_ms / MS_PER_S
            left_mm = gate.position_mm + gate.offset_mm - camera.position_mm - needed_mm
            left_ms = MS_PER_S * left_mm / line.belt.v_max_mm_s
            found.append(Slack(gate.destination, camera.name, needed_mm, left_mm, left_ms))
    return tuple(found)


def pins_in_words(line: Line) -> tuple[Claim, ...]:
    """Every claim of a pin, inputs first."""
    claims = []
    for name, each in inputs_of(line).items():
        debounce = f", debounced {each.debounce_ms:g} ms" if each.debounce_ms else ", not debounced"
        claims.append(Claim(str(each.pin), name, f"input, {_polarity(each.active_low)}{debounce}"))
    for letter, pin in (("a", line.encoder.a), ("b", line.encoder.b)):
        if pin is not None:
            claims.append(Claim(str(pin), f"encoder {letter}", "input, quadrature"))
    held = {f"gate:{gate.destination}": ", on to let pass" for gate in line.gates if not gate.is_pulse}
    for name, output in outputs_of(line).items():
        proof = ", proven by a contact" if output.read_back else ", not read back"
        claims.append(
            Claim(str(output.pin), name, f"output, {_polarity(output.active_low)}{held.get(name, '')}{proof}")
        )
        if output.read_back:
            back = output.read_back
            claims.append(Claim(str(back.pin), f"{name} read-back", f"input, {_polarity(back.active_low)}"))
    return tuple(claims)


def _moment(line: Line, name: str, text: str, at_mm: float, after_ms: float = 0.0) -> Moment:
    """A moment at a belt position plus, or minus, what the belt travels in a time."""
    fast, slow = line.belt.v_max_mm_s, line.belt.v_min_mm_s
    fast_mm, slow_mm = at_mm + fast * after_ms / MS_PER_S, at_mm + slow * after_ms / MS_PER_S
    return Moment(name, text, fast_mm, slow_mm, MS_PER_S * fast_mm / fast, MS_PER_S * slow_mm / slow)


def _trigger(line: Line) -> Moment:
    if line.trigger.source == "software":
        return _moment(line, "trigger", f"every {line.trigger.every_mm:g} mm of belt counts as a part", 0)
    if line.trigger.source == "vision" and line.trigger.vision is not None:
        text = f"positions count from here; the part is on record when camera {line.trigger.vision.camera} sees it come"
        return _moment(line, "start", text, 0)
    return _moment(line, "trigger", "the leading edge meets the part sensor: the part is on record", 0)


def _camera(line: Line, camera: CameraSettings) -> list[Moment]:
    in_memory_ms = camera.exposure_ms + camera.transfer_ms
    model = line.model
    name = camera.name
    return [
        _moment(line, f"{name}: exposure", f"camera {name} takes the picture", camera.position_mm),
        _moment(
            line,
            f"{name}: frame in memory",
            f"{camera.exposure_ms:g} ms exposure and {camera.transfer_ms:g} ms transfer later",
            camera.position_mm,
            in_memory_ms,
        ),
        _moment(
            line,
            f"{name}: verdict",
            f"at the latest {model.verdict_ms:g} ms after the frame; package {model.package}, runtime {model.runtime}",
            camera.position_mm,
            in_memory_ms + model.verdict_ms,
        ),
    ]


def _gate(line: Line, gate: GateSettings) -> list[Moment]:
    to = gate.destination
    there_mm = gate.position_mm + gate.offset_mm
    moments = [
        _moment(
            line,
            f"{to}: cut-off",
            f"without a verdict by now the part is rejected, to {line.default_gate.destination!r} (DEADLINE)",
            there_mm,
            -gate.lag_ms - gate.margin_ms,
        ),
        _moment(
            line,
            f"{to}: fire",
            f"a bad part's {gate.kind} is told to act, {gate.lag_ms:g} ms ahead of its effect",
            there_mm,
            -gate.lag_ms,
        ),
        _moment(line, f"{to}: gate acts", _offset_in_words(gate), there_mm),
        _moment(
            line,
            f"{to}: gate lets go",
            f"after a dwell of {gate.dwell_mm:g} mm, at least {gate.min_on_ms:g} ms",
            there_mm + gate.dwell_mm,
        ),
    ]
    if gate.chute:
        moments.append(
            _moment(
                line,
                f"{to}: chute",
                f"by now the chute sensor must have seen it, from {gate.chute.from_mm:g} mm after the fire point on",
                there_mm + gate.chute.to_mm,
                -gate.lag_ms,
            )
        )
    return moments


def _offset_in_words(gate: GateSettings) -> str:
    if gate.offset_mm >= 0:
        return f"{gate.offset_mm:g} mm of the part are past the gate"
    return f"the part is still {-gate.offset_mm:g} mm before the gate"


def _exit(line: Line) -> list[Moment]:
    if line.exit is None:
        return []
    text = f"the exit sensor must see a good part here, give or take {line.exit.tolerance_mm:g} mm"
    return [_moment(line, "exit", text, line.exit.position_mm)]


def _polarity(is_active_low: bool) -> str:
    return "active low" if is_active_low else "active high"
