"""The settings of a line: one `line.toml`, frozen after load, refused as a whole when it cannot work.

Units are in the names; bounds stand beside the fields; unknown keys are errors. `docs/settings.md` has a row for each.
Positions are millimetres of belt downstream of the part sensor.
"""

from __future__ import annotations

from app.config.base import Input, Name, Output, PinName, Settings, Title
from app.config.camera import CameraSettings
from app.config.line import Line, load_line
from app.config.rules import IDLE_MS, needed_mm
from app.config.sheet import inputs_of, outputs_of, pins_of
from app.config.tables import (
    ChallengeSettings,
    ChuteSettings,
    EncoderSettings,
    ExitSettings,
    GateSettings,
    HandshakeSettings,
    ModelSettings,
    PartSettings,
    PermitSettings,
    StopSettings,
    StorageSettings,
    UiSettings,
    WatchdogSettings,
)
from app.config.vision import VisionSettings

__all__ = [
    "IDLE_MS",
    "CameraSettings",
    "ChallengeSettings",
    "ChuteSettings",
    "EncoderSettings",
    "ExitSettings",
    "GateSettings",
    "HandshakeSettings",
    "Input",
    "Line",
    "ModelSettings",
    "Name",
    "Output",
    "PartSettings",
    "PermitSettings",
    "PinName",
    "Settings",
    "StopSettings",
    "StorageSettings",
    "Title",
    "UiSettings",
    "VisionSettings",
    "WatchdogSettings",
    "inputs_of",
    "load_line",
    "needed_mm",
    "outputs_of",
    "pins_of",
]
