"""What `camera.source` names for driver `opencv`."""

from __future__ import annotations

import os
import re

_DEVICE = re.compile(r"(?:/dev/video)?(\d{1,3})")
_LINKS = "/dev/v4l/"


def device_of(source: str) -> str | None:
    """The device file that a source names; `None` where it names something else.

    Args:
        source: `/dev/videoN`, its number N, or a link below `/dev/v4l`, which stays right when numbers change.
    """
    found = _DEVICE.fullmatch(source)
    if found:
        return f"/dev/video{int(found[1])}"
    if source.startswith(_LINKS):
        return os.path.realpath(source)
    return None


def is_stream(source: str) -> bool:
    """The source is the address of a network stream."""
    return "://" in source
