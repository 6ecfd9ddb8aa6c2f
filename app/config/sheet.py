"""A whole `line.toml`, before the rules across its tables, and who has which pin in it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.config.base import Input, Output, PinName, Settings
from app.config.camera import CameraSettings
from app.config.tables import (
    BeltSettings,
    ChallengeSettings,
    EncoderSettings,
    ExitSettings,
    GateSettings,
    HandshakeSettings,
    LineSettings,
    ModelSettings,
    PartSettings,
    PermitSettings,
    StopSettings,
    StorageSettings,
    TriggerSettings,
    UiSettings,
    WatchdogSettings,
)


class Sheet(Settings):
    """Every table of a `line.toml`, each right by itself; `app.config.line` has the rules across them."""

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
    handshake: HandshakeSettings = HandshakeSettings()
    watchdog: WatchdogSettings = WatchdogSettings()
    stops: StopSettings = StopSettings()
    challenge: ChallengeSettings = ChallengeSettings()
    storage: StorageSettings = StorageSettings()
    ui: UiSettings = UiSettings()

    @property
    def default_gate(self) -> GateSettings:
        """The gate for parts without a verdict of their own: the first in the file."""
        return self.gates[0]


def inputs_of(line: Sheet) -> dict[str, Input]:
    """Every input of the line by the name that edges carry: `part`, `exit`, `chute:reject`, `bin_full:reject` ..."""
    found: dict[str, Input | None] = {
        "part": line.trigger.sensor,
        "running": line.belt.running,
        "exit": line.exit.sensor if line.exit else None,
        "air_low": line.stops.air_low,
        "stopped": line.handshake.stopped,
    }
    for gate in line.gates:
        found[f"chute:{gate.destination}"] = gate.chute.sensor if gate.chute else None
        found[f"bin_full:{gate.destination}"] = gate.bin_full
        found[f"bin_open:{gate.destination}"] = gate.bin_open
    return {name: each for name, each in found.items() if each is not None}


def outputs_of(line: Sheet) -> dict[str, Output]:
    """Every output of the line by name: `gate:reject`, `permit`, `ready` ..."""
    outputs = {f"gate:{gate.destination}": gate.output for gate in line.gates}
    if line.permit:
        outputs["permit"] = line.permit.output
    return outputs | line.handshake.outputs


def pins_of(line: Sheet) -> list[tuple[str, PinName]]:
    """Every claim of a pin: who claims it, and which."""
    claims: list[tuple[str, PinName]] = [(name, each.pin) for name, each in inputs_of(line).items()]
    for name, output in outputs_of(line).items():
        claims.append((name, output.pin))
        if output.read_back:
            claims.append((f"{name} read-back", output.read_back.pin))
    claims += [(f"encoder {n}", p) for n, p in (("a", line.encoder.a), ("b", line.encoder.b)) if p is not None]
    return claims
