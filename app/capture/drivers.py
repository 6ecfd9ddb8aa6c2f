"""The camera drivers by name, imported when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from app.capture.camera import Camera, Found
from app.clock import Clock
from app.config import CameraSettings
from app.errors import ConfigError

DRIVERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "folder": ("app.capture.folder", "FolderCamera"),
        "opencv": ("app.capture.opencv", "open_opencv"),
        "csi": ("app.capture.argus", "ArgusCamera"),
        "gige": ("app.capture.gige", "GigeCamera"),
    }
)
"""Driver -> module and what makes the camera from settings and a clock."""


def make_camera(settings: CameraSettings, clock: Clock) -> Camera:
    """Makes the camera that the settings name, not open; the twin's comes from the twin.

    Args:
        settings: The camera.
        clock: Stamps its frames.

    Raises:
        ConfigError: No such driver here.
        MissingDriverError: The driver's library is not installed.
    """
    if settings.driver not in DRIVERS:
        raise ConfigError(
            f"camera {settings.name!r}: driver {settings.driver!r} is not one of {', '.join(DRIVERS)}",
            "correct driver; the twin's camera runs with the twin only",
        )
    module, name = DRIVERS[settings.driver]
    make: Callable[[CameraSettings, Clock], Camera] = getattr(importlib.import_module(module), name)
    return make(settings, clock)


def open_camera(settings: CameraSettings, clock: Clock) -> Camera:
    """Makes and opens the camera that the settings name.

    Args:
        settings: The camera.
        clock: Stamps its frames.

    Raises:
        ConfigError: No such driver here.
        MissingDriverError: The driver's library is not installed.
        CameraError: It does not open.
    """
    camera = make_camera(settings, clock)
    camera.open()
    return camera


SEARCHES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "gige": ("app.capture.gige", "discover"),
        "opencv": ("app.capture.v4l2", "discover"),
        "csi": ("app.capture.argus", "discover"),
    }
)
"""Driver -> module and what looks for its cameras: a function without arguments that returns a tuple of `Found`."""


def find_cameras(driver: str) -> tuple[Found, ...]:
    """Looks for the cameras of one driver.

    Args:
        driver: One of `SEARCHES`.

    Raises:
        MissingDriverError: The driver's library is not installed.
        CameraError: The search itself failed.
    """
    module, name = SEARCHES[driver]
    search: Callable[[], tuple[Found, ...]] = getattr(importlib.import_module(module), name)
    return search()
