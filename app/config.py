"""The settings of a line: one `line.toml`, frozen after load, refused as a whole when it cannot work.

Units are in the names; bounds stand beside the fields; unknown keys are errors. `docs/settings.md` has a row for each.
Positions are millimetres of belt downstream of the part sensor.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.toml import read_toml, validated

PinName = Annotated[int, Field(ge=0, le=999)] | Annotated[str, Field(min_length=1, max_length=40)]
Name = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")]
LEAST_COUNTS = 8
IDLE_MS = 20.0
"""The station looks at everything at least so often: held outputs without a permit relay are refreshed at this pace."""

PULSE_KINDS = ("pusher", "air")


class Settings(BaseModel):
    """Frozen, without unknown keys, without NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


class Input(Settings):
    """A digital input, such as a sensor or a read-back contact."""

    pin: PinName = Field(description="number of the GPIO line, or its name as the pin factory knows it")
    active_low: bool = Field(False, description="a low level means active")
    debounce_ms: float = Field(0.0, ge=0, le=100, description="a change counts once it has lasted so long")


class Output(Settings):
    """A digital output. Polarity is inverted here and nowhere else."""

    pin: PinName = Field(description="number of the GPIO line, or its name as the pin factory knows it")
    active_low: bool = Field(False, description="a low level means on")
    read_back: Input | None = Field(None, description="contact that says what the output really does")


class LineSettings(Settings):
    """Which line this is."""

    name: Name = Field("Line 1", description="what people call the line")
    lane: int = Field(1, ge=1, le=64, description="number of the lane that this file describes")


class BeltSettings(Settings):
    """How the belt moves."""

    v_min_mm_s: float = Field(300, gt=0, le=10_000, description="slowest speed at which parts are rejected")
    v_max_mm_s: float = Field(1000, gt=0, le=10_000, description="fastest speed; verdicts must be in time at this")
    stop_mm: float = Field(150, ge=0, le=5_000, description="how far the belt coasts after a stop")
    running: Input | None = Field(None, description="active while the belt is driven")


class EncoderSettings(Settings):
    """Where the belt position comes from."""

    driver: Literal["gpio", "virtual"] = Field(
        "gpio", description="two quadrature inputs, or a constant speed while the belt runs"
    )
    counts_per_mm: float = Field(2.0, gt=0, le=1000, description="quadrature counts (4 per cycle)")
    a: PinName | None = Field(None, description="gpio: line of channel A")
    b: PinName | None = Field(None, description="gpio: line of channel B")
    speed_mm_s: float | None = Field(None, gt=0, le=10_000, description="virtual: speed while the belt runs")
    still_ms: float = Field(300, ge=20, le=10_000, description="no count for so long while the belt runs: fault")


class PartSettings(Settings):
    """The parts on the belt."""

    length_mm: float = Field(60, gt=0, le=5_000, description="length along the belt")
    min_pitch_mm: float = Field(90, gt=0, le=10_000, description="leading edges closer than this touch")


class TriggerSettings(Settings):
    """What makes a part record."""

    source: Literal["sensor", "software"] = Field("sensor", description="what makes a part: its sensor, or belt travel")
    sensor: Input | None = Field(None, description="sees the leading edge; position 0 of the belt")
    every_mm: float | None = Field(None, gt=0, le=10_000, description="software: one trigger per so much belt")
    blocked_mm: float = Field(400, gt=0, le=20_000, description="sensor covered for so much belt: blocked")


class CameraSettings(Settings):
    """One camera and where it looks."""

    name: Name = Field("top", description="how the ledger calls it")
    driver: Literal["twin", "folder", "opencv"] = Field(
        "twin", description="the twin's camera, pictures from a folder, or a device, stream or video file"
    )
    position_mm: float = Field(150, ge=0, le=50_000, description="where a part is exposed")
    source: str = Field("", max_length=400, description="folder, file, device or address; empty for the twin")
    width_px: int = Field(640, ge=16, le=16_384, description="width of its frames")
    height_px: int = Field(640, ge=16, le=16_384, description="height of its frames")
    channels: Literal[1, 3] = Field(1, description="1 mono, 3 colour")
    exposure_ms: float = Field(0.5, gt=0, le=1_000, description="time the exposure takes")
    transfer_ms: float = Field(8.0, ge=0, le=1_000, description="worst time from exposure to frame in memory")
    frame_timeout_ms: float = Field(40, gt=0, le=10_000, description="no frame so long after the trigger: NO_FRAME")
    binding: Literal["counter", "one_outstanding", "timestamp_window"] = Field(
        "one_outstanding", description="how a frame is known to be of a part"
    )
    window_ms: float = Field(5.0, gt=0, le=1_000, description="timestamp_window: half-width of the window")


class ModelSettings(Settings):
    """Which detector judges, and how long it may take."""

    package: str = Field(
        "active",
        min_length=1,
        max_length=400,
        description="name in the zoo, a folder, or `active`: what `takt models activate` chose, else `pcb-nano`",
    )
    runtime: Literal["auto", "onnx", "openvino", "blank"] = Field(
        "auto",
        description="what runs the model; auto: the first that is installed; blank: nothing, to measure the rest on"
        " the twin, and only there",
    )
    standby: Literal["none", "onnx", "openvino"] = Field(
        "none", description="judges the frame that the first could not"
    )
    threads: int = Field(2, ge=1, le=64, description="of the runtime")
    verdict_ms: float = Field(5.0, gt=0, le=1_000, description="worst time from frame in memory to verdict")


class ChuteSettings(Settings):
    """The sensor that sees each rejected part, in millimetres of belt after the gate fired."""

    sensor: Input = Field(description="active while a part passes the chute")
    from_mm: float = Field(0, ge=-500, le=5_000, description="earliest")
    to_mm: float = Field(150, gt=0, le=5_000, description="latest; later is MISSED_REJECT")


class GateSettings(Settings):
    """One reject device and the destination that it serves."""

    destination: Name = Field("reject", description="the bin, as verdicts and recipes name it")
    kind: Literal["pusher", "air", "diverter"] = Field(
        "pusher", description="pusher and air are energised to reject, a diverter to pass"
    )
    output: Output = Field(description="what switches it")
    position_mm: float = Field(450, gt=0, le=50_000, description="where it acts")
    offset_mm: float = Field(10, ge=-500, le=500, description="from leading edge at the gate to gate on")
    dwell_mm: float = Field(40, gt=0, le=5_000, description="belt over which it stays on for one part")
    lag_ms: float = Field(12, ge=0, le=1_000, description="measured, command to effect")
    margin_ms: float = Field(5, ge=0, le=1_000, description="a verdict must come so long before the gate fires")
    min_on_ms: float = Field(10, ge=0, le=10_000, description="shortest pulse that moves it; air and pusher")
    max_on_ms: float = Field(400, gt=0, le=60_000, description="the coil's limit; air and pusher")
    refresh_ms: float = Field(100, gt=0, le=10_000, description="diverter: longest time unrefreshed")
    chute: ChuteSettings | None = None
    bin_full: Input | None = Field(None, description="active while the bin can take no more: stops the line")
    bin_open: Input | None = Field(None, description="active while the bin is open: stops the line")

    @property
    def is_pulse(self) -> bool:
        """The device is energised to reject, and only briefly; a diverter is energised to pass."""
        return self.kind in PULSE_KINDS


class ExitSettings(Settings):
    """The sensor that sees each part that stays on the belt."""

    sensor: Input = Field(description="active while a part passes")
    position_mm: float = Field(650, gt=0, le=50_000, description="where it looks")
    tolerance_mm: float = Field(30, gt=0, le=1_000, description="a good part is seen within this of where it should be")


class PermitSettings(Settings):
    """The external permit relay: retriggered by toggles, it drops by itself within `hold_ms`."""

    output: Output = Field(description="feeds the relay")
    toggle_ms: float = Field(20, ge=1, le=1_000, description="time between two toggles")
    hold_ms: float = Field(
        100, ge=5, le=5_000, description="the relay drops when no edge to the energised level came for so long"
    )


class StopSettings(Settings):
    """What latches a line stop. 0 switches a rule off."""

    consecutive_rejects: int = Field(5, ge=0, le=1_000, description="so many rejects in a row")
    reject_rate: float = Field(0.5, ge=0, le=1, description="share of rejects within the window")
    rate_window_parts: int = Field(40, ge=5, le=10_000, description="window of reject_rate")
    repeated_alarms: int = Field(3, ge=0, le=1_000, description="so many alarms of rule 8 within the window stop")
    alarm_window_parts: int = Field(100, ge=1, le=100_000, description="window of repeated_alarms")
    air_low: Input | None = Field(None, description="active while the air pressure is too low")


class ChallengeSettings(Settings):
    """When known-bad parts prove the reject chain."""

    interval_h: float = Field(0, ge=0, le=168, description="0: never due by time")
    at_lot_start: bool = Field(False, description="due when a lot is opened")
    parts: int = Field(3, ge=1, le=50, description="known-bad parts in a test")


class StorageSettings(Settings):
    """What is kept of the parts, and for how long. The ledger itself is never dropped: without room the line stops."""

    pass_every: int = Field(50, ge=0, le=100_000, description="one of so many passed parts keeps its picture; 0: none")
    pictures_days: float = Field(30, gt=0, le=3_650, description="pictures older than this are deleted")
    pictures_gb: float = Field(
        20, gt=0, le=100_000, description="above this the oldest pictures are deleted, those of passes first"
    )
    min_free_gb: float = Field(
        1.0,
        ge=0,
        le=10_000,
        description="with less free disk no pass keeps a picture, with half of it no reject",
    )
    segment_h: float = Field(24, gt=0, le=744, description="a segment of the ledger is sealed after so long")
    archive_days: float = Field(
        0, ge=0, le=36_500, description="sealed segments older than this are moved to the archive; 0: never"
    )
    ring_mb: float = Field(16, ge=1, le=1_024, description="memory for events that the recorder has not taken yet")


class UiSettings(Settings):
    """Where the pages are served."""

    host: str = Field("127.0.0.1", min_length=1, max_length=255, description="address to listen on; 0.0.0.0: every one")
    port: int = Field(8080, ge=1, le=65_535, description="port to listen on")
    pixels_per_mm: float = Field(4.0, gt=0.5, le=40, description="of the operator's screen: keys are sized by it")


class Line(Settings):
    """A whole `line.toml`."""

    schema_version: Literal[1] = Field(1, alias="schema", description="version of this layout")
    recipe: str = Field("recipe.toml", min_length=1, max_length=400, description="beside this file")
    line: LineSettings = LineSettings()
    belt: BeltSettings = BeltSettings()
    encoder: EncoderSettings
    part: PartSettings = PartSettings()
    trigger: TriggerSettings
    cameras: tuple[CameraSettings, ...] = Field((CameraSettings(),), alias="camera", min_length=1, max_length=8)
    model: ModelSettings = ModelSettings()
    gates: tuple[GateSettings, ...] = Field(alias="gate", min_length=1, max_length=8)
    exit: ExitSettings | None = None
    permit: PermitSettings | None = None
    stops: StopSettings = StopSettings()
    challenge: ChallengeSettings = ChallengeSettings()
    storage: StorageSettings = StorageSettings()
    ui: UiSettings = UiSettings()

    @model_validator(mode="after")
    def _works(self) -> Line:
        problems = (
            *_repeated_pins(self),
            *_wrong_sources(self),
            *_wrong_geometry(self),
            *_late_verdicts(self),
            *_wrong_pulses(self),
            *_wrong_permit(self),
        )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def default_gate(self) -> GateSettings:
        """The gate for parts without a verdict of their own: the first in the file."""
        return self.gates[0]


def inputs_of(line: Line) -> dict[str, Input]:
    """Every input of the line by the name that edges carry: `part`, `exit`, `chute:reject`, `bin_full:reject` ..."""
    found: dict[str, Input | None] = {
        "part": line.trigger.sensor,
        "running": line.belt.running,
        "exit": line.exit.sensor if line.exit else None,
        "air_low": line.stops.air_low,
    }
    for gate in line.gates:
        found[f"chute:{gate.destination}"] = gate.chute.sensor if gate.chute else None
        found[f"bin_full:{gate.destination}"] = gate.bin_full
        found[f"bin_open:{gate.destination}"] = gate.bin_open
    return {name: each for name, each in found.items() if each is not None}


def outputs_of(line: Line) -> dict[str, Output]:
    """Every output of the line by name: `gate:reject`, `permit`."""
    outputs = {f"gate:{gate.destination}": gate.output for gate in line.gates}
    if line.permit:
        outputs["permit"] = line.permit.output
    return outputs


def load_line(path: Path) -> Line:
    """Reads and checks a `line.toml`.

    Raises:
        ConfigError: The file is absent, is no TOML, has unknown keys or values out of bounds, or describes a line
            that cannot work; all problems are named at once.
    """
    return validated(Line, read_toml(path), str(path))


def pins_of(line: Line) -> list[tuple[str, PinName]]:
    """Every claim of a pin: who claims it, and which."""
    claims: list[tuple[str, PinName]] = [(name, each.pin) for name, each in inputs_of(line).items()]
    for name, output in outputs_of(line).items():
        claims.append((name, output.pin))
        if output.read_back:
            claims.append((f"{name} read-back", output.read_back.pin))
    claims += [(f"encoder {n}", p) for n, p in (("a", line.encoder.a), ("b", line.encoder.b)) if p is not None]
    return claims


def _repeated_pins(line: Line) -> list[str]:
    owner: dict[str, str] = {}
    problems = []
    for name, pin in pins_of(line):
        key = str(pin).upper().removeprefix("GPIO")
        if key in owner:
            problems.append(f"pin {pin} is claimed twice, by {owner[key]} and by {name}: give one of them another pin")
        owner.setdefault(key, name)
    return problems


def _wrong_sources(line: Line) -> list[str]:
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


def _wrong_geometry(line: Line) -> list[str]:
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


def needed_mm(line: Line, camera: CameraSettings, gate: GateSettings) -> float:
    """Belt between camera and gate that a verdict takes at full speed (REJECT_TRACKING rule 4), in mm."""
    total_ms = camera.exposure_ms + camera.transfer_ms + line.model.verdict_ms + gate.lag_ms + gate.margin_ms
    return line.belt.v_max_mm_s * total_ms / 1000


def _late_verdicts(line: Line) -> list[str]:
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


def _wrong_pulses(line: Line) -> list[str]:
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


def _wrong_permit(line: Line) -> list[str]:
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
