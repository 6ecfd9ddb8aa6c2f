"""Labels and pictures that cannot be right, and what is left of a sample without them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from models.datasets.picture_files import PictureFacts
from models.datasets.records import Box, Problem, Sample

SMALLEST_PX = 2.0
_ROUNDING_PX = 1.0
_NEARLY_WHOLE = 0.95
_SAME_BOX = 0.95
_SAME_PLACE = 0.9
_BITS = 8


@dataclass(frozen=True, slots=True)
class Judged:
    """A sample after the checks.

    Attributes:
        sample: With the boxes that can be right, in pixels; None where the picture itself is of no use.
        problems: What was found.
    """

    sample: Sample | None
    problems: tuple[Problem, ...]


def judge(sample: Sample, facts: PictureFacts) -> Judged:
    """Checks a sample's picture and its boxes.

    Args:
        sample: As its reader left it.
        facts: Its picture.

    Returns:
        What can be right of it. A box that reaches over the edge is cut there, one that is wholly outside, empty, tiny
        or given twice is taken away. A picture that has none left after that, and one that the line would refuse, is
        left out.
    """
    found = _Found(sample)
    if not _is_usable(sample, facts, found):
        return Judged(None, tuple(found.problems))
    boxes = tuple(_in_pixels(box, sample, facts) for box in sample.boxes)
    kept: list[Box] = []
    for box in boxes:
        inside = _checked(box, facts, found)
        if inside is not None and not _is_repeated(inside, kept, found):
            kept.append(inside)
    if sample.is_good and kept:
        found.wrong("good-with-boxes", "the part is said to be good and has boxes")
        return Judged(None, tuple(found.problems))
    if not kept and (boxes or sample.lost):
        found.wrong(
            "no-box-left", "is left out: without the labels that cannot be right it would pass for good", is_error=False
        )
        return Judged(None, tuple(found.problems))
    return Judged(replace(sample, boxes=tuple(kept), has_fractions=False), tuple(found.problems))


class _Found:
    """Gathers the problems of one sample."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self.problems: list[Problem] = []

    def wrong(self, code: str, why: str, box: Box | None = None, *, is_error: bool = True) -> None:
        """Notes a problem of the picture, or of a box with its place in the label file."""
        place = ""
        if box is not None:
            corners = ", ".join(f"{value:g}" for value in (box.x1, box.y1, box.x2, box.y2))
            source = f"{self._sample.label_file} {box.where}".strip()
            place = f"{box.label} box ({corners})" + (f" of {source}" if source else "")
        self.problems.append(Problem(code, self._sample.name, why, place, is_error))


def _is_usable(sample: Sample, facts: PictureFacts, found: _Found) -> bool:
    size = (facts.width_px, facts.height_px)
    if facts.is_lying:
        found.wrong("wrong-suffix", f"is a {facts.format} file by its content", is_error=False)
    if facts.is_turned:
        found.wrong(
            "exif-rotation", "is turned by its EXIF data, which labelling tools read differently: save it upright"
        )
        return False
    if facts.bits > _BITS:
        found.wrong("deep", f"has {facts.bits} bits per channel, a line sees {_BITS}: convert it")
        return False
    if facts.has_alpha:
        found.wrong("transparent", "has transparent pixels, which have no colour of their own: flatten it")
        return False
    if sample.size_px is not None and sample.size_px != size:
        width, height = sample.size_px
        text = f"is {size[0]} x {size[1]} px, but its labels are of a picture of {width} x {height}"
        found.wrong("other-size", text)
        return False
    return True


def _in_pixels(box: Box, sample: Sample, facts: PictureFacts) -> Box:
    if not sample.has_fractions:
        return box
    width, height = facts.width_px, facts.height_px
    return replace(box, x1=box.x1 * width, y1=box.y1 * height, x2=box.x2 * width, y2=box.y2 * height)


def _checked(box: Box, facts: PictureFacts, found: _Found) -> Box | None:
    width, height = facts.width_px, facts.height_px
    if not all(map(math.isfinite, (box.x1, box.y1, box.x2, box.y2))):
        found.wrong("not-a-number", "has a corner that is no number", box)
        return None
    if box.x2 <= box.x1 or box.y2 <= box.y1:
        found.wrong("empty-box", "has no area", box)
        return None
    if box.x1 >= width or box.y1 >= height or box.x2 <= 0 or box.y2 <= 0:
        found.wrong("outside", f"lies outside the picture of {width} x {height} px", box)
        return None
    inside = replace(box, x1=max(0.0, box.x1), y1=max(0.0, box.y1), x2=min(width, box.x2), y2=min(height, box.y2))
    over = max(inside.x1 - box.x1, inside.y1 - box.y1, box.x2 - inside.x2, box.y2 - inside.y2)
    if over > _ROUNDING_PX:
        found.wrong("over-edge", f"reaches {over:g} px over the edge of the picture of {width} x {height} px", box)
    if min(inside.x2 - inside.x1, inside.y2 - inside.y1) < SMALLEST_PX:
        found.wrong("tiny", f"is narrower than {SMALLEST_PX:g} px", box)
        return None
    if _area(inside) >= _NEARLY_WHOLE * width * height:
        found.wrong("whole-picture", "covers nearly the whole picture", box, is_error=False)
    return inside


def _is_repeated(box: Box, kept: list[Box], found: _Found) -> bool:
    for other in kept:
        overlap = _overlap(box, other)
        if other.label == box.label and overlap >= _SAME_BOX:
            found.wrong("box-twice", "is given twice", box)
            return True
        if other.label != box.label and overlap >= _SAME_PLACE:
            found.wrong("two-classes", f"lies where a box of class {other.label} lies", box)
            return True
    return False


def _area(box: Box) -> float:
    return (box.x2 - box.x1) * (box.y2 - box.y1)


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    shared = max(0.0, width) * max(0.0, height)
    return shared / (_area(one) + _area(other) - shared)
