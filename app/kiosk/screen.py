"""The screen: whether it is there, and how large it is where nobody else would make a window fill it."""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Mapping
from pathlib import Path

WAYLAND = "wayland"
X11 = "x11"


def size_of_x() -> tuple[int, int] | None:
    """Width and height in pixels of the X screen that `DISPLAY` names; `None` where that cannot be asked.

    Without a window manager a browser that asks to be full screen stays as large as it was made.
    """
    try:
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        display = x11.XOpenDisplay(None)
        if not display:
            return None
        try:
            number = x11.XDefaultScreen(ctypes.c_void_p(display))
            width, height = (
                int(ask(ctypes.c_void_p(display), number)) for ask in (x11.XDisplayWidth, x11.XDisplayHeight)
            )
        finally:
            x11.XCloseDisplay(ctypes.c_void_p(display))
    except (OSError, AttributeError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def is_there(platform: str, environ: Mapping[str, str]) -> bool:
    """Whether there is somebody to draw for.

    Args:
        platform: `wayland`, `x11`, or empty where that does not matter.
        environ: The environment.
    """
    if platform == X11:
        return size_of_x() is not None
    if platform != WAYLAND:
        return True
    # A name with a slash is a path of its own, which joining leaves as it is.
    path = Path(environ.get("XDG_RUNTIME_DIR", "/")) / environ.get("WAYLAND_DISPLAY", "")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        try:
            door.connect(str(path))
        except OSError:
            return False
    return True
