"""What a verdict says in words, taken apart for the page, and which box each sentence is about. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

_SENTENCE = re.compile(
    r"(?P<label>.+) (?P<score>\d\.\d\d) at x=(?P<x>-?\d+) y=(?P<y>-?\d+), (?P<width>\d+) x (?P<height>\d+) px,"
    r" (?P<why>.+)",
    re.DOTALL,
)
_REJECTING = re.compile(r"threshold [\d.e+-]+")
_OF_A_BOX = {"DEFECT", "FLAGGED"}
_BOX_FIELDS = 6
MOST_BOXES = 64


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence of a verdict.

    Attributes:
        kind: The reason's code.
        text: The sentence as the station wrote it.
        label: The class, where it is about a box; else empty.
        score: 0 .. 1.
        place_px: x, y, width and height in whole pixels of the frame.
    """

    kind: str
    text: str
    label: str = ""
    score: float = 0.0
    place_px: tuple[int, int, int, int] = (0, 0, 0, 0)

    def as_json(self) -> dict[str, Any]:
        """The finding as the page gets it."""
        said: dict[str, Any] = {"kind": self.kind, "text": self.text}
        if self.label:
            x, y, width, height = self.place_px
            said |= {"label": self.label, "score": self.score, "x": x, "y": y, "width": width, "height": height}
        return said


@dataclass(frozen=True, slots=True)
class Box:
    """One detection.

    Attributes:
        label: The class.
        score: 0 .. 1.
        box_px: x, y, width and height in pixels of the frame.
    """

    label: str
    score: float
    box_px: tuple[float, float, float, float]

    def is_meant_by(self, finding: Finding) -> bool:
        """The finding speaks of this box."""
        is_same = self.label == finding.label and f"{self.score:.2f}" == f"{finding.score:.2f}"
        # Both were rounded on their way, in different ways.
        return is_same and all(abs(a - b) <= 1 for a, b in zip(self.box_px, finding.place_px, strict=True))

    def as_json(self, findings: Sequence[Finding]) -> dict[str, Any]:
        """The box as the page gets it; `kind` says what became of it: a reason's code, or empty for none."""
        x, y, width, height = self.box_px
        kind = next((each.kind for each in findings if self.is_meant_by(each)), "")
        return {
            "label": self.label,
            "score": self.score,
            "x": x,
            "y": y,
            "width": width,
            "height": height,
            "kind": kind,
        }


def findings_of(text: str, reasons: str) -> tuple[Finding, ...]:
    """The findings of a verdict.

    Args:
        text: The sentences, as `VERDICT` carries them: in the order of their weight, separated by `; `.
        reasons: Their codes, separated by blanks.
    """
    codes = reasons.split()
    if not text:
        return tuple(Finding(code, "") for code in codes)
    others = [code for code in codes if code not in _OF_A_BOX] or codes or [""]
    parts = text.split("; ")
    if not any(_SENTENCE.fullmatch(part) for part in parts):
        return (Finding(others[0], text),)
    return tuple(_finding(part, others[0]) for part in parts)


def boxes_of(detections: object) -> tuple[Box, ...]:
    """The detections that `JUDGED` carries; empty where they cannot be read."""
    try:
        rows = json.loads(detections) if isinstance(detections, str) else []
    except ValueError:
        return ()
    boxes = (_box(row) for row in rows[:MOST_BOXES]) if isinstance(rows, list) else ()
    return tuple(box for box in boxes if box is not None)


def _finding(sentence: str, other: str) -> Finding:
    match = _SENTENCE.fullmatch(sentence)
    if match is None:
        return Finding(other, sentence)
    x, y, width, height = (int(match[name]) for name in ("x", "y", "width", "height"))
    kind = "DEFECT" if _REJECTING.fullmatch(match["why"]) else "FLAGGED"
    return Finding(kind, sentence, match["label"], float(match["score"]), (x, y, width, height))


def _box(row: Any) -> Box | None:
    if not isinstance(row, list) or len(row) != _BOX_FIELDS or not isinstance(row[0], str):
        return None
    try:
        numbers = [float(each) for each in row[1:]]
    except (TypeError, ValueError):
        return None
    if not all(map(isfinite, numbers)):
        return None
    score, x, y, width, height = numbers
    return Box(row[0], score, (x, y, width, height))
