"""One control of a V4L2 device as the kernel describes it, and what may be written to it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.capture import v4l2_layout as layout
from app.errors import CameraError
from app.status import Trouble
from app.types import Scalar

NUMBERS = (layout.INTEGER, layout.INTEGER64, layout.BITMASK)
MENUS = (layout.MENU, layout.INTEGER_MENU)


def normalised(label: str) -> str:
    """The name of a control as v4l2-ctl writes it: lower case, underscores for what is no letter or digit."""
    return re.sub(r"[^0-9a-z]+", "_", label.lower()).strip("_")


@dataclass(frozen=True, slots=True)
class Entry:
    """One control, as the kernel describes it."""

    id: int
    name: str
    kind: int
    low: int
    high: int
    step: int
    flags: int
    choices: tuple[tuple[int, str], ...] = ()

    @property
    def is_writable(self) -> bool:
        """It can be set now."""
        return not self.flags & (layout.READ_ONLY | layout.GRABBED)


def number_for(entry: Entry, value: Scalar) -> int:
    """What the kernel takes for a value.

    Raises:
        CameraError: Of another kind, or out of bounds.
    """
    if entry.kind == layout.BUTTON:
        return 0
    if entry.kind in MENUS and isinstance(value, str):
        chosen = [number for number, name in entry.choices if normalised(name) == normalised(value)]
        number = chosen[0] if chosen else None
    elif isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        number = int(value)
    else:
        number = None
    if number is None or not _allows(entry, number):
        raise CameraError(f"control {entry.name} cannot be {value!r}", bounds_of(entry), code=Trouble.UNFIT.value)
    return number


def _allows(entry: Entry, number: int) -> bool:
    if entry.kind in MENUS:
        return any(number == each for each, _ in entry.choices)
    if entry.kind == layout.BITMASK:
        return number >= 0 and not number & ~(entry.high & 0xFFFF_FFFF)
    return entry.low <= number <= entry.high


def text_for(entry: Entry, value: Scalar) -> str:
    """The same for a control that is text.

    Raises:
        CameraError: No text, or too long or too short.
    """
    if isinstance(value, str) and entry.low <= len(value.encode()) <= entry.high:
        return value
    raise CameraError(f"control {entry.name} cannot be {value!r}", bounds_of(entry), code=Trouble.UNFIT.value)


def bounds_of(entry: Entry) -> str:
    """What a control may be, as an instruction."""
    if entry.kind in MENUS:
        return f"choose one of {', '.join(f'{name} ({number})' for number, name in entry.choices)}"
    if entry.kind == layout.STRING:
        return f"give text of {entry.low} to {entry.high} bytes"
    if entry.kind == layout.BOOLEAN:
        return "choose true or false"
    if entry.kind == layout.BITMASK:
        return f"choose bits of {entry.high & 0xFFFF_FFFF:#x}"
    steps = f" in steps of {entry.step}" if entry.step > 1 else ""
    return f"choose a whole number from {entry.low} to {entry.high}{steps}"
