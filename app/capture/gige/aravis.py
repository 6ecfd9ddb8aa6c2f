"""Aravis, the library that speaks GigE Vision, loaded when a camera needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from app.errors import CameraError, MissingDriverError

_T = TypeVar("_T")


def load_aravis() -> Any:
    """The module `gi.repository.Aravis`.

    Raises:
        MissingDriverError: PyGObject, Aravis or its typelib is not installed.
    """
    try:
        import gi  # noqa: PLC0415  (only a GigE camera needs it)

        gi.require_version("Aravis", "0.8")
        from gi.repository import Aravis  # noqa: PLC0415
    except (ImportError, ValueError) as error:  # ValueError: PyGObject is here, the typelib is not
        raise MissingDriverError(
            "driver gige", "PyGObject with Aravis 0.8 (Debian: gir1.2-aravis-0.8)", "gige"
        ) from error
    return Aravis


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turns what the library raises into an error of ours.

    Args:
        doing: What was being done and to which camera, such as "camera 'top' refused Width = 7".

    Raises:
        CameraError: The library raised one of its own.
    """
    from gi.repository import GLib  # noqa: PLC0415  (whoever comes here has loaded Aravis)

    try:
        yield
    except GLib.Error as error:
        raise CameraError(f"{doing} ({error.message})", "check its cable, power and address") from error


def unless_undefined(ask: Callable[[], _T]) -> _T | None:
    """What was asked, or `None` where the camera's own description (its GenICam XML) leaves it open."""
    from gi.repository import GLib  # noqa: PLC0415  (whoever comes here has loaded Aravis)

    try:
        return ask()
    except GLib.Error as error:
        if error.domain == "arv-gc-error-quark":
            return None
        raise
