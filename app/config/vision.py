"""The table `[trigger.vision]`: a free-running camera above the belt makes the triggers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from app.config.base import Name, Settings


class VisionSettings(Settings):
    """How a camera sees parts come: `docs/vision-trigger.md` tells what it can and cannot tell apart."""

    camera: Name = Field("top", description="name of the camera that watches the belt; it runs freely")
    motion: Literal["right", "left", "down", "up"] = Field("right", description="where parts go in its picture")
    mm_per_px: float = Field(gt=0, le=100, description="millimetres of belt per pixel of its picture")
    line_share: float = Field(
        0.5,
        ge=0.02,
        le=0.98,
        description="a part triggers when its leading edge reaches the virtual line, which lies at this share of the"
        " picture along the motion: 0 where parts come in, 1 where they leave",
    )
    from_share: float = Field(
        0.1, ge=0, le=0.95, description="across the motion the picture is watched from this share of it"
    )
    to_share: float = Field(0.9, ge=0.05, le=1, description="to this one; counted from the top or from the left")
    sensitivity: float = Field(
        0.5,
        ge=0,
        le=1,
        description="0 only strong contrasts are parts, 1 faint ones too; a step of 0.25 halves the contrast that is"
        " needed",
    )
    min_length_share: float = Field(
        0.3, ge=0.1, le=0.8, description="what is shorter than this share of `part.length_mm` is dirt or a mark"
    )

    @model_validator(mode="after")
    def _has_a_strip(self) -> VisionSettings:
        if self.to_share < self.from_share + 0.04:
            raise ValueError("to_share must lie at least 0.04 above from_share: there is nothing to watch")
        return self
