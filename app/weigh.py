"""What findings come to by the rules of a recipe: which reject a part, which only flag it. Pure.

The station decides by it, and so do the pages that try other thresholds: both give a part the same verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.recipe import DefaultRule
from app.types import PASS, Detection


@dataclass(frozen=True, slots=True)
class Ruled:
    """A finding, and the rule of its class."""

    detection: Detection
    rule: DefaultRule


@dataclass(frozen=True, slots=True)
class Weighed:
    """The findings that count, each kind with the worst first.

    Attributes:
        rejecting: They reject the part.
        flagging: They are at or above the threshold of a class that only flags.
        near: They are of a class that rejects, and just below its threshold.
    """

    rejecting: tuple[Ruled, ...]
    flagging: tuple[Ruled, ...]
    near: tuple[Ruled, ...]

    @property
    def destination(self) -> str:
        """Where the part is sent."""
        return self.rejecting[0].rule.destination if self.rejecting else PASS

    @property
    def is_flagged(self) -> bool:
        """A person should look at the part."""
        return bool(self.flagging or self.near)


def weigh(detections: Iterable[Detection], rule_of: Callable[[str], DefaultRule], flag_margin: float) -> Weighed:
    """Weighs the findings of one part.

    A detection counts when its score is at or above its class's threshold and its box at or above every minimum size.
    Of those that reject, the one that exceeds its threshold by most decides the destination; between equals the higher
    score does, then class name and place, so the order of detections does not matter. A detection of a rejecting class
    that is large enough and at most `flag_margin` below its threshold does not reject but flags the part.

    Args:
        detections: What was found in all pictures of the part.
        rule_of: The rule of a class.
        flag_margin: How far below its threshold a finding still flags the part.
    """
    ruled = [Ruled(each, rule_of(each.label)) for each in detections]
    large = sorted((each for each in ruled if is_large_enough(each.detection, each.rule)), key=_worst_first)
    return Weighed(
        tuple(each for each in large if each.rule.policy == "reject" and _excess(each) >= 0),
        tuple(each for each in large if each.rule.policy == "flag" and _excess(each) >= 0),
        tuple(each for each in large if each.rule.policy == "reject" and _is_near(each, flag_margin)),
    )


def is_large_enough(detection: Detection, rule: DefaultRule) -> bool:
    """Whether a finding has the minimum sizes of its rule."""
    width, height = detection.box_px[2:]
    return width >= rule.min_width_px and height >= rule.min_height_px and width * height >= rule.min_area_px


def _excess(each: Ruled) -> float:
    """How far the score lies above the threshold."""
    return each.detection.score - each.rule.threshold


def _is_near(each: Ruled, margin: float) -> bool:
    # Not `-margin <= excess`: 0.35 - 0.25 is a little less than 0.1 in binary, and the bound is meant to be included.
    return _excess(each) < 0 and each.detection.score >= each.rule.threshold - margin


def _worst_first(each: Ruled) -> tuple[float, float, str, tuple[float, float, float, float]]:
    return -_excess(each), -each.detection.score, each.detection.label, each.detection.box_px
