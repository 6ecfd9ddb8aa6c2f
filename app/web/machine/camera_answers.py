"""What the API of the live cameras takes and gives."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

_FROZEN = ConfigDict(frozen=True, extra="forbid")
_MOST_PX = 16_384
_MOST_KEY = 1 << 53

State = Literal["live", "parts", "asked", "away", "absent"]
Reason = Literal["", "running", "wired", "recorded"]


class BoxQuery(BaseModel):
    """A box in pixels of the whole picture; all four, or none."""

    model_config = _FROZEN

    x: int | None = Field(None, ge=0, le=_MOST_PX, description="left edge")
    y: int | None = Field(None, ge=0, le=_MOST_PX, description="top edge")
    width: int | None = Field(None, ge=1, le=_MOST_PX, description="width")
    height: int | None = Field(None, ge=1, le=_MOST_PX, description="height")

    @property
    def box(self) -> tuple[int, int, int, int] | None:
        """The box; `None` where it is not given whole."""
        if self.x is None or self.y is None or self.width is None or self.height is None:
            return None
        return (self.x, self.y, self.width, self.height)


class LookQuery(BoxQuery):
    """Which part of the picture the focus score is of, and which picture is known already."""

    known: int = Field(0, ge=0, le=_MOST_KEY, description="the key of the picture whose figures are known")


class CameraRemark(BaseModel):
    """What a person should mind in a picture."""

    kind: str = Field(description="dark, dim, saturated or flat")
    text: str = Field(description="what it is and what to do about it")


class CameraFigures(BaseModel):
    """A picture in figures."""

    focus: float = Field(description="variance of the Laplacian within the box; larger is sharper, of one scene only")
    box: list[int] = Field(description="x, y, width, height that the focus score is of, in pixels")
    mean: float = Field(description="mean grey, 0 .. 255")
    deviation: float = Field(description="standard deviation of the greys")
    low: int = Field(description="the darkest value of any channel")
    high: int = Field(description="the brightest value of any channel")
    saturated: float = Field(description="share of the pixels with a channel at 255, 0 .. 1")
    histogram: list[int] = Field(description="how many pixels have each grey, 256 numbers")
    remarks: list[CameraRemark]


class CameraPicture(BaseModel):
    """The newest picture."""

    key: int = Field(description="names the picture: its files have this name")
    age_ms: float = Field(description="time since it was in memory")
    width: int = Field(description="pixels")
    height: int = Field(description="pixels")
    channels: int = Field(description="1 mono, 3 colour")
    is_asked: bool = Field(description="taken for those who look, and not of a part")
    counter: int | None = Field(description="the camera's own count, where it has one")
    figures: CameraFigures | None = Field(description="none where the picture is known already")


class CameraAnswer(BaseModel):
    """A camera as it is now."""

    lane: int
    camera: str
    state: State = Field(
        description="live: a picture younger than 2 s; parts: pictures come with parts only, see `reason`; asked: the"
        " camera was asked for one; away: it gives none, see `text`; absent: its capture process does not run"
    )
    reason: Reason = Field(description="why pictures come with parts only")
    text: str = Field(description="what is wrong with the camera, and how to mend it; empty: nothing")
    code: str = Field("", description="the same as a code; empty: nothing is wrong")
    picture: CameraPicture | None
