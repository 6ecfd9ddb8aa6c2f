"""The tables of a `line.toml`, those of cameras apart."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.config.base import Input, Name, Output, PinName, Settings, Title
from app.config.vision import VisionSettings

PULSE_KINDS = ("pusher", "air")

_TIME = r"^([01]\d|2[0-3]):[0-5]\d$"

COUNTS_PER_S = {"gpio": 5_000.0, "counter": 0.0, "virtual": 0.0}
"""What each kind of encoder counts safely, in counts per second; 0: no limit. `docs/encoders.md` tells why."""


class LineSettings(Settings):
    """Which line this is."""

    name: Title = Field("Line 1", description="what people call the line")
    lane: int = Field(1, ge=1, le=64, description="number of the lane that this file describes")


class BeltSettings(Settings):
    """How the belt moves."""

    v_min_mm_s: float = Field(300, gt=0, le=10_000, description="slowest speed at which parts are rejected")
    v_max_mm_s: float = Field(1000, gt=0, le=10_000, description="fastest speed; verdicts must be in time at this")
    stop_mm: float = Field(150, ge=0, le=5_000, description="how far the belt coasts after a stop")
    running: Input | None = Field(None, description="active while the belt is driven")


class EncoderSettings(Settings):
    """Where the belt position comes from."""

    driver: Literal["gpio", "counter", "virtual"] = Field(
        "gpio",
        description="two quadrature inputs, a counter of the kernel, or a constant speed while the belt runs",
    )
    counts_per_mm: float = Field(2.0, gt=0, le=1000, description="quadrature counts (4 per cycle)")
    a: PinName | None = Field(None, description="gpio: line of channel A")
    b: PinName | None = Field(None, description="gpio: line of channel B")
    counter: str | None = Field(
        None,
        min_length=1,
        max_length=80,
        description="counter: the device, by its number or its driver's name, and the count: `counter0/count0`",
    )
    reverse: bool = Field(False, description="count the other way, as if channels A and B were exchanged")
    max_counts_per_s: float | None = Field(
        None,
        ge=0,
        le=100_000_000,
        description="more than this is not counted safely; without it the driver's own limit, 0: no limit",
    )
    speed_mm_s: float | None = Field(None, gt=0, le=10_000, description="virtual: speed while the belt runs")
    still_ms: float = Field(300, ge=20, le=10_000, description="no count for so long while the belt runs: fault")

    @property
    def limit_counts_s(self) -> float:
        """The fastest that is counted safely, in counts per second; 0 where there is no limit."""
        return COUNTS_PER_S[self.driver] if self.max_counts_per_s is None else self.max_counts_per_s


class PartSettings(Settings):
    """The parts on the belt."""

    length_mm: float = Field(60, gt=0, le=5_000, description="length along the belt")
    min_pitch_mm: float = Field(90, gt=0, le=10_000, description="leading edges closer than this touch")


class TriggerSettings(Settings):
    """What makes a part record."""

    source: Literal["sensor", "software", "vision"] = Field(
        "sensor", description="what makes a part: its sensor, belt travel, or a camera that sees it come"
    )
    sensor: Input | None = Field(None, description="sees the leading edge; position 0 of the belt")
    every_mm: float | None = Field(None, gt=0, le=10_000, description="software: one trigger per so much belt")
    blocked_mm: float = Field(400, gt=0, le=20_000, description="sensor covered for so much belt: blocked")
    vision: VisionSettings | None = Field(None, description="vision: the camera that sees parts come")


class ModelSettings(Settings):
    """Which detector judges, and how long it may take."""

    package: str = Field(
        "active",
        min_length=1,
        max_length=400,
        description="name in the zoo or on the station, a folder, or `active`: what `takt models activate` chose, else"
        " `pcb-nano`; each with `:MODEL` for one of its models, such as `:standby-int8`",
    )
    runtime: Literal["auto", "onnx", "openvino", "blank"] = Field(
        "auto",
        description="what runs the model; auto: what `takt models build` measured as the fastest, else the first that"
        " is installed; blank: nothing, to measure the rest on the twin, and only there",
    )
    standby: Literal["none", "onnx", "openvino"] = Field(
        "none", description="judges the frame that the first could not"
    )
    accelerator: Literal["none", "auto", "tensorrt", "onnx-tensorrt", "onnx-cuda", "onnx", "openvino", "sick"] = Field(
        "none",
        description="what judges in a process of its own, with the package's accelerator model; runtime is then the"
        " standby of this station; auto: what `takt models build` measured as the fastest, else TensorRT, else ONNX"
        " Runtime on the GPU; sick: one that fails when it is told to, to try that on the twin, and only there",
    )
    degraded: Literal["stop", "slow", "run"] = Field(
        "stop",
        description="what becomes of a line while the accelerator is away, if its standby cannot keep up; stop: it"
        " stands until the accelerator judges again and somebody resets it; slow: the status asks for the speed that"
        " the standby holds; run: it runs on, and parts without a verdict in time are rejected, as with slow",
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


class HandshakeSettings(Settings):
    """Discrete lines to the machines around: each output is energised while what it says is good."""

    ready: Output | None = Field(None, description="on while parts are judged")
    fault: Output | None = Field(None, description="off while something is wrong with the station or its line")
    line_stop: Output | None = Field(None, description="off while the line must stand, for whatever cause")
    heartbeat: Output | None = Field(None, description="changes while all threads of the station make progress")
    lamp_red: Output | None = Field(None, description="on while the line is stopped by Takt, for whatever cause")
    lamp_amber: Output | None = Field(None, description="on while it purges, a camera is away or the standby judges")
    lamp_green: Output | None = Field(None, description="on while parts are judged and sorted as they should be")
    buzzer: Output | None = Field(None, description="on for what somebody must mend, until it is silenced or goes")
    stopped: Input | None = Field(
        None, description="active while the line is stopped from outside, as by its emergency stop: stops the line"
    )
    refresh_ms: float = Field(100, gt=0, le=10_000, description="longest time unrefreshed; then the outputs go off")

    @property
    def outputs(self) -> dict[str, Output]:
        """The outputs that are wired, by name."""
        names = ("ready", "fault", "line_stop", "heartbeat", "lamp_red", "lamp_amber", "lamp_green", "buzzer")
        wired: dict[str, Output | None] = {name: getattr(self, name) for name in names}
        return {name: each for name, each in wired.items() if each is not None}


class WatchdogSettings(Settings):
    """The kernel's watchdog: it resets the box when the station stays dead or hung for so long."""

    device: str = Field("", max_length=200, description="as `/dev/watchdog`; empty: none, or systemd has it")
    timeout_s: int = Field(30, ge=2, le=600, description="reset so long after the last sign of life")


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
    at_lot_start: bool = Field(False, description="due when a lot is opened, and when the station starts within one")
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
    https_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="port to listen on for HTTPS; 0: none. With one, plain HTTP serves this box itself alone, and sends"
        " everybody else there",
    )
    certificate: str = Field(
        "", max_length=4_096, description="PEM file of a certificate for HTTPS; empty: the box makes its own"
    )
    key: str = Field("", max_length=4_096, description="PEM file of that certificate's key, without a password")
    pixels_per_mm: float = Field(4.0, gt=0.5, le=40, description="of the operator's screen: keys are sized by it")
    night_from: str = Field(
        "20:00",
        pattern=_TIME,
        description="from here on the operator's page is dark, where its brightness goes by time",
    )
    night_to: str = Field("06:00", pattern=_TIME, description="until here")
    language: str = Field(
        "auto", pattern=r"^[a-z]{2,8}$", description="of the pages; `auto`: what each browser prefers"
    )
    sign_out_s: int = Field(
        180, ge=30, le=43_200, description="whoever signed in by PIN and does nothing is signed out after so long"
    )
    desk_sign_out_s: int = Field(
        1_800, ge=60, le=43_200, description="the same for whoever signed in by password, at a desk"
    )
    shifts: tuple[Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5][05]$")], ...] = Field(
        ("06:00", "14:00", "22:00"), min_length=1, max_length=8, description="when shifts begin, to the five minutes"
    )

    @model_validator(mode="after")
    def _agree(self) -> UiSettings:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key go together")
        if self.https_port == self.port:
            raise ValueError("https_port and port must differ")
        return self
