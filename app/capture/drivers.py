"""The camera drivers by name, imported when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from app.capture.camera import Camera
from app.clock import Clock
from app.config import CameraSettings
from app.errors import ConfigError

DRIVERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "folder": ("app.capture.folder", "FolderCamera"),
        "opencv": ("app.capture.opencv", "open_opencv"),
    }
)
"""Driver -> module and what makes the camera from settings and a clock."""


def open_camera(settings: CameraSettings, clock: Clock) -> Camera:
    """Makes and opens the camera that the settings name; the twin's comes from the twin.

    Args:
        settings: The camera.
        clock: Stamps its frames.

    Raises:
        ConfigError: No such driver here.
        MissingDriverError: The driver's library is not installed.
        CameraError: It does not open.
    """
    if settings.driver not in DRIVERS:
        raise ConfigError(
            f"camera {settings.name!r}: driver {settings.driver!r} is not one of {', '.join(DRIVERS)}",
            "correct driver; the twin's camera runs with the twin only",
        )
    module, name = DRIVERS[settings.driver]
    make: Callable[[CameraSettings, Clock], Camera] = getattr(importlib.import_module(module), name)
    camera = make(settings, clock)
    camera.open()
    return camera
