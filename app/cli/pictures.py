"""Pictures of verdicts: one part with its boxes, its classes and its scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from app.cli.lettering import CARD, INK, PAPER, Colour, Letters, Mark, badge, chip, chip_size
from app.types import Finding, Image, Reason, Verdict

Box = tuple[int, int, int, int]

_SMALLEST_PX = 480
_NORMAL_PX = 900.0


class Shown(Protocol):
    """A part that can be shown."""

    @property
    def name(self) -> str:
        """File name of its picture; may be empty."""
        ...

    @property
    def image(self) -> Image | None:
        """uint8, (height, width) or (height, width, 3) BGR; `None` where the part has no picture."""
        ...

    @property
    def verdict(self) -> Verdict:
        """The verdict; boxes in pixels of `image`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Exhibit:
    """One part to show, no larger than it needs to be.

    Attributes:
        name: File name of its picture; may be empty.
        image: uint8, (height, width) or (height, width, 3) BGR; `None` where the part has no picture.
        verdict: The verdict; boxes in pixels of `image`, reasons in words as they were.
    """

    name: str
    image: Image | None
    verdict: Verdict

    @classmethod
    def of(cls, part: Shown, side_px: int) -> Exhibit:
        """A part with its picture shrunk into a square of that side, and its boxes with it."""
        if part.image is None or max(part.image.shape[:2]) <= side_px:
            return cls(part.name, part.image, part.verdict)
        factor = side_px / max(part.image.shape[:2])
        return cls(part.name, scaled(part.image, factor), scaled_verdict(part.verdict, factor))


def mark_of(verdict: Verdict) -> Mark:
    """How a verdict is drawn."""
    if not verdict.is_pass:
        return Mark.REJECT
    return Mark.FLAG if verdict.is_flagged else Mark.PASS


def mark_of_finding(finding: Finding) -> Mark:
    """How a finding is drawn: `app.decide` says in words which ones only flag."""
    return Mark.FLAG if finding.reason is Reason.FLAGGED else Mark.REJECT


def reason_in_short(finding: Finding) -> str:
    """A finding in words, without its size and threshold."""
    if finding.detection is None:
        return finding.text
    hint = ", flagged only" if mark_of_finding(finding) is Mark.FLAG else ""
    return f"{finding.text.split(', ')[0]}{hint}"


def boxed(image: Image, verdict: Verdict) -> Image:
    """Draws the boxes of a verdict on its picture, each with class and score.

    Args:
        image: uint8, (height, width) or (height, width, 3) BGR; left as it is. Small ones are enlarged.
        verdict: The verdict; boxes in pixels of `image`.

    Returns:
        uint8 (height, width, 3) BGR.
    """
    factor = max(1, -(-_SMALLEST_PX // max(image.shape[:2])))
    picture = coloured(scaled(image, factor))
    draw_boxes(picture, scaled_verdict(verdict, factor).findings, _size_for(picture))
    return picture


def annotate(image: Image, verdict: Verdict, title: str = "") -> Image:
    """Draws a verdict: a head with the verdict and its first reason, below it the whole picture with boxes.

    Args:
        image: uint8, (height, width) or (height, width, 3) BGR; left as it is. Small ones are enlarged.
        verdict: The verdict; boxes in pixels of `image`.
        title: What to call the part.

    Returns:
        uint8 (height, width, 3) BGR.
    """
    picture = boxed(image, verdict)
    size = _size_for(picture)
    head = _head(max(picture.shape[1], round(360 * size)), verdict, title, size)
    whole = canvas(head.shape[1], head.shape[0] + picture.shape[0], PAPER)
    whole[: head.shape[0]] = head
    whole[head.shape[0] :, : picture.shape[1]] = picture
    return whole


def _head(width: int, verdict: Verdict, title: str, size: float) -> Image:
    bold, text = Letters(0.6 * size, is_bold=True), Letters(0.5 * size)
    pad = round(10 * size)
    height = chip_size("X", bold)[1] + 2 * pad
    head = canvas(width, height, PAPER)
    x = pad + badge(head, mark_of(verdict), (pad, pad), bold)[0] + pad
    base = (height + bold.height_px) // 2
    if title:
        shown = bold.fitted(title, (width - x) // 2)
        bold.write(head, shown, (x, base), INK)
        x += bold.width_px(shown) + pad
    reasons = [reason_in_short(each) for each in verdict.findings] or ["nothing found"]
    more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    text.write(head, text.fitted(f"{reasons[0]}{more}", width - x - pad), (x, base), INK)
    return head


def draw_boxes(picture: Image, findings: Iterable[Finding], size: float, *, is_named: bool = True) -> None:
    """Draws boxes, the worst finding on top.

    Args:
        picture: uint8 (height, width, 3), drawn upon.
        findings: The findings, worst first, with boxes in its pixels.
        size: How large lines and letters are; 1 suits a picture of some 900 pixels.
        is_named: Write class and score beside each box.
    """
    boxes = [(_box(picture, finding, size), finding) for finding in findings if finding.detection]
    thin = max(1, round(1.6 * size))
    # The worst comes first and is drawn last, on top.
    for box, finding in reversed(boxes):
        mark = mark_of_finding(finding)
        draw = _draw_corners if mark is Mark.FLAG else _draw_frame
        draw(picture, box, CARD, thin + max(2, round(2 * size)))
        draw(picture, box, mark.colour, thin)
    if is_named:
        _name_boxes(picture, boxes, size)


def _draw_frame(picture: Image, box: Box, colour: Colour, thickness: int) -> None:
    x, y, width, height = box
    cv2.rectangle(picture, (x, y), (x + width, y + height), colour, thickness)


def _draw_corners(picture: Image, box: Box, colour: Colour, thickness: int) -> None:
    """A frame whose sides are open: what only flags differs from what rejects by more than its colour."""
    x, y, width, height = box
    for corner_x, step_x in ((x, width // 4), (x + width, -(width // 4))):
        for corner_y, step_y in ((y, height // 4), (y + height, -(height // 4))):
            corner = (corner_x, corner_y)
            cv2.line(picture, corner, (corner_x + step_x, corner_y), colour, thickness)
            cv2.line(picture, corner, (corner_x, corner_y + step_y), colour, thickness)


def _box(picture: Image, finding: Finding, size: float) -> Box:
    """The box, a little larger so that its line does not cover the defect, and within the picture."""
    assert finding.detection is not None
    x, y, width, height = finding.detection.box_px
    room = 3 * size
    limit_y, limit_x = picture.shape[0] - 1, picture.shape[1] - 1
    left, top = (round(min(max(0, low - room), high)) for low, high in ((x, limit_x), (y, limit_y)))
    right, bottom = (
        round(min(max(0, far + room), high)) for far, high in ((x + width, limit_x), (y + height, limit_y))
    )
    return left, top, right - left, bottom - top


def _name_boxes(picture: Image, boxes: Sequence[tuple[Box, Finding]], size: float) -> None:
    """Writes class and score beside each box, where it covers the least of boxes and other names."""
    letters = Letters(0.45 * size)
    taken = [box for box, _ in boxes]
    for box, finding in boxes:
        assert finding.detection is not None
        text = f"{finding.detection.label} {finding.detection.score:.2f}"
        width, height = chip_size(text, letters)
        places = [_within(picture, place, width, height) for place in _beside(box, width, height)]
        place = min(places, key=lambda each: sum(_overlap((*each, width, height), other) for other in taken))
        colour: Colour = mark_of_finding(finding).colour
        chip(picture, text, place, colour, letters)
        taken.append((*place, width, height))


def _beside(box: Box, width: int, height: int) -> list[tuple[int, int]]:
    x, y, across, down = box
    gap = 3
    return [
        (x, y - height - gap),
        (x, y + down + gap),
        (x + across + gap, y),
        (x - width - gap, y),
        (x + across - width, y - height - gap),
        (x + across - width, y + down + gap),
    ]


def _within(picture: Image, place: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    limit_y, limit_x = picture.shape[0] - height, picture.shape[1] - width
    return max(0, min(place[0], limit_x)), max(0, min(place[1], limit_y))


def _overlap(one: Box, other: Box) -> int:
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(0, width) * max(0, height)


def _size_for(picture: Image) -> float:
    """How large lines and letters are on a picture."""
    side_px: int = max(picture.shape[:2])
    return max(1.0, side_px / _NORMAL_PX)


def scaled(image: Image, factor: float) -> Image:
    """The picture in another size; enlarged, each pixel stays what it was."""
    if factor == 1:
        return image
    height, width = image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)


def scaled_verdict(verdict: Verdict, factor: float) -> Verdict:
    """The verdict with its boxes for a picture of another size; its words stay."""
    if factor == 1:
        return verdict
    return replace(verdict, findings=tuple(_scaled_finding(each, factor) for each in verdict.findings))


def _scaled_finding(finding: Finding, factor: float) -> Finding:
    if finding.detection is None:
        return finding
    x, y, width, height = (value * factor for value in finding.detection.box_px)
    return replace(finding, detection=replace(finding.detection, box_px=(x, y, width, height)))


def coloured(image: Image) -> Image:
    """A copy in three channels."""
    if image.ndim == 2:  # noqa: PLR2004 - mono
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    return np.array(image)


def canvas(width: int, height: int, colour: Colour) -> Image:
    """An empty picture."""
    return np.full((height, width, 3), colour, np.uint8)
