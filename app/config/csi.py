"""The table `[camera.csi]`: what a camera on a Jetson's CSI connector is asked, beyond what every camera has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.config.base import Settings

WhiteBalance = Literal[
    "off",
    "auto",
    "incandescent",
    "fluorescent",
    "warm-fluorescent",
    "daylight",
    "cloudy-daylight",
    "twilight",
    "shade",
    "manual",
]
Flip = Literal[
    "none",
    "counterclockwise",
    "rotate-180",
    "clockwise",
    "horizontal-flip",
    "upper-right-diagonal",
    "vertical-flip",
    "upper-left-diagonal",
]


class CsiSettings(Settings):
    """How the image processor of a Jetson treats the sensor; driver `csi` only."""

    sensor_mode: int | None = Field(
        None, ge=0, le=255, description="number of the sensor's mode; without it the one nearest to size and frame rate"
    )
    frame_rate_hz: float = Field(30, ge=1, le=480, description="frames per second, which the sensor's mode must offer")
    white_balance: WhiteBalance = Field("auto", description="how colours are balanced")
    is_white_balance_locked: bool = Field(False, description="the balance stays as it is at the start")
    is_exposure_locked: bool = Field(
        True, description="exposure_ms and gain_db hold; otherwise the processor chooses both by the light"
    )
    flip: Flip = Field("none", description="how the picture is turned; width_px and height_px are those after it")
    is_denoised: bool = Field(False, description="smooths over frames: a small defect may go with the noise")
    is_sharpened: bool = Field(False, description="sharpens edges, which then have halos")
