"""The table `[camera.gige]`: what only a GigE Vision camera has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.config.base import Settings


class GigeSettings(Settings):
    """A GigE Vision camera."""

    model: str = Field("", max_length=80, description="model that it must be, as the camera says; empty: any")
    serial: str = Field("", max_length=80, description="serial number that it must have; empty: any")
    firmware: str = Field("", max_length=80, description="firmware that it must have, as the camera says; empty: any")
    pixel_format: str = Field(
        "",
        max_length=40,
        description="GenICam name of the pixel format, such as Mono8 or BayerRG8; empty: one that suits channels",
    )
    offset_x_px: int = Field(0, ge=0, le=16_384, description="left edge of the part of the sensor that is read out")
    offset_y_px: int = Field(0, ge=0, le=16_384, description="its upper edge")
    frame_rate_hz: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="pictures per second where the camera runs freely; without it its own",
    )
    trigger_line: str = Field("Line1", max_length=40, description="camera.trigger = wire: the camera's input")
    trigger_edge: Literal["rising", "falling"] = Field("rising", description="camera.trigger = wire: which edge")
    packet_size_bytes: int = Field(
        0,
        ge=0,
        le=16_384,
        description="size of a network packet, 220 or more; 0: the greatest that gets through",
    )
    packet_delay_us: float = Field(
        0, ge=0, le=10_000, description="pause between two packets, so that cameras on one network do not collide"
    )
    buffers: int = Field(8, ge=3, le=64, description="pictures that may be on their way at once")
    chunks: bool = Field(False, description="ask the camera for counter, time and exposure inside each picture")
