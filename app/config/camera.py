"""The table `[[camera]]`: one camera, how it is driven and where it looks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.config.base import Name, Settings
from app.config.csi import CsiSettings
from app.config.gige import GigeSettings


class CameraSettings(Settings):
    """One camera and where it looks."""

    name: Name = Field("top", description="how the ledger calls it")
    driver: Literal["twin", "folder", "opencv", "csi", "gige"] = Field(
        "twin",
        description="the twin's camera, pictures from a folder, a V4L2 device, stream or video file, a CSI camera of a"
        " Jetson, or a GigE Vision camera",
    )
    position_mm: float = Field(150, ge=0, le=50_000, description="where a part is exposed")
    source: str = Field(
        "",
        max_length=400,
        description="folder, file, device or address; gige: address, serial number or name; csi: number of the sensor;"
        " empty for the twin",
    )
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
    trigger: Literal["command", "wire", "free"] = Field(
        "command",
        description="what starts an exposure: a command of the station, a wire to the camera's trigger input, or"
        " nothing, and the next frame that begins is the answer; V4L2, streams and csi are always free",
    )
    gain_db: float | None = Field(None, ge=-20, le=60, description="gain; without it the camera's own")
    controls: dict[str, bool | int | float | str] = Field(
        {},
        description="further settings of the camera by their own names: V4L2 controls, GenICam features; `takt camera"
        " probe` lists them",
    )
    silent_ms: float = Field(
        2_000, ge=100, le=60_000, description="a camera that runs freely and sends nothing for so long is opened anew"
    )
    dark_level: float = Field(
        2.0, ge=0, le=255, description="a frame whose mean grey is below this is refused; 0: none is"
    )
    gige: GigeSettings = GigeSettings()
    csi: CsiSettings = CsiSettings()
