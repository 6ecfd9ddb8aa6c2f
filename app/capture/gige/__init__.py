"""GigE Vision cameras, through Aravis."""

from __future__ import annotations

from app.capture.gige.camera import GigeCamera
from app.capture.gige.link import discover

__all__ = ["GigeCamera", "discover"]
