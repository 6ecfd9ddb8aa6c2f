"""What a source gathers field by field: a value that makes sense, or a remark that says why there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

PLAUSIBLE = {
    "temperature_c": (-60.0, 150.0),
    "clock_mhz": (0.0, 10_000.0),
    "clock_max_mhz": (1.0, 10_000.0),
    "clock_limit_mhz": (1.0, 10_000.0),
    "clock_floor_mhz": (0.0, 10_000.0),
    "power_w": (0.0, 3_000.0),
    "memory_used_mib": (0.0, 16_777_216.0),
    "memory_total_mib": (1.0, 16_777_216.0),
}
"""What a device can say and be believed: 255 degrees is a sensor that is not there."""

LONGEST_TEXT = 120


class Collected:
    """Values and remarks of one reading."""

    def __init__(self) -> None:
        self.remarks: list[str] = []

    def remark(self, what: str) -> None:
        """Notes what is missing and why, once."""
        short = " ".join(what.split())[:LONGEST_TEXT]
        if short not in self.remarks:
            self.remarks.append(short)

    def number(self, field: str, value: object, *, of: str) -> float | None:
        """A value if it can be true.

        Args:
            field: A key of `PLAUSIBLE`.
            value: What was read; `None` passes.
            of: Where it was read, for the remark.
        """
        if value is None:
            return None
        low, high = PLAUSIBLE[field]
        if not isinstance(value, (int, float)) or not low <= value <= high:
            self.remark(f"{of} says {value!r} for {field}, which cannot be")
            return None
        return float(value)

    def parsed(self, text: str | None, parse: Callable[[str], _T], *, of: str) -> _T | None:
        """What a text means; a remark where it means nothing.

        Args:
            text: What was read; `None` passes.
            parse: Raises ValueError, LookupError or TypeError for what is no value.
            of: Where it was read, for the remark.
        """
        if text is None:
            return None
        try:
            return parse(text)
        except (ValueError, LookupError, TypeError):
            self.remark(f"{of} holds what cannot be read: {text[:40]!r}")
            return None
