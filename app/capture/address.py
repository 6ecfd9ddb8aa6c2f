"""What `camera.source` names for driver `opencv`, and how it is said without its password."""

from __future__ import annotations

import os
import re

_DEVICE = re.compile(r"(?:/dev/video)?(\d{1,3})")
_LINKS = "/dev/v4l/"
# As far as the last @: a password that was not escaped may hold one, and must not be shown for that.
_LOGIN = re.compile(r"(?<=://)([^:/?#]*):.*@", re.DOTALL)
_SECRET = re.compile(r"(?i)((?:password|passwd|pass|pwd|token|secret|key)=)[^&;#/]*")


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


def redacted(source: str) -> str:
    """A source as it may be printed: without the password of its login, and without keys in its query."""
    return _SECRET.sub(r"\1***", _LOGIN.sub(r"\1:***@", source))
