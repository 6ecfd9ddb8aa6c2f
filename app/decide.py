"""Findings and a recipe -> a verdict with its reasons. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.recipe import DefaultRule, Recipe
from app.types import PASS, Detection, Finding, Reason, Verdict


@dataclass(frozen=True, slots=True)
class _Judged:
    detection: Detection
    rule: DefaultRule


def decide(part_id: int, detections: Iterable[Detection], recipe: Recipe, now_ns: int) -> Verdict:
    """Reaches the verdict on a part.

    A detection counts when its score is at or above its class's threshold and its box at or above every minimum size.
    Of those that reject, the one that exceeds its threshold by most decides the destination; between equals the higher
    score does, then class name and place, so the order of detections does not matter. A detection of a rejecting class
    that is large enough and at most `flag_margin` below its threshold does not reject but flags the part.

    Args:
        part_id: The part.
        detections: What was found in all pictures of the part.
        recipe: What it means.
        now_ns: When this is decided.

    Returns:
        The verdict; its findings name the worst reason to reject first, then the others, then what was only flagged.
    """
    judged = [_Judged(each, recipe.rule(each.label)) for each in detections]
    large = sorted((each for each in judged if _is_large_enough(each)), key=_worst_first)
    rejecting = [each for each in large if each.rule.policy == "reject" and _excess(each) >= 0]
    flagging = [each for each in large if each.rule.policy == "flag" and _excess(each) >= 0]
    near = [each for each in large if each.rule.policy == "reject" and _is_near(each, recipe.flag_margin)]
    findings = (
        *(_finding(each, Reason.DEFECT, f"threshold {each.rule.threshold:g}") for each in rejecting),
        *(_finding(each, Reason.FLAGGED, f"threshold {each.rule.threshold:g}, flagged only") for each in flagging),
        *(_finding(each, Reason.FLAGGED, f"just below the threshold {each.rule.threshold:g}") for each in near),
    )
    return Verdict(
        part_id=part_id,
        destination=rejecting[0].rule.destination if rejecting else PASS,
        findings=findings,
        is_flagged=bool(flagging or near),
        decided_ns=now_ns,
    )


def reject(part_id: int, reason: Reason, text: str, destination: str, now_ns: int) -> Verdict:
    """The verdict on a part that no picture could speak for.

    Args:
        part_id: The part.
        reason: The kind of reason.
        text: The reason in words.
        destination: Where the part goes.
        now_ns: When this is decided.
    """
    return Verdict(part_id, destination, (Finding(reason, text),), decided_ns=now_ns)


def _excess(each: _Judged) -> float:
    """How far the score lies above the threshold."""
    return each.detection.score - each.rule.threshold


def _is_large_enough(each: _Judged) -> bool:
    width, height = each.detection.box_px[2:]
    rule = each.rule
    return width >= rule.min_width_px and height >= rule.min_height_px and width * height >= rule.min_area_px


def _is_near(each: _Judged, margin: float) -> bool:
    # Not `-margin <= excess`: 0.35 - 0.25 is a little less than 0.1 in binary, and the bound is meant to be included.
    return _excess(each) < 0 and each.detection.score >= each.rule.threshold - margin


def _worst_first(each: _Judged) -> tuple[float, float, str, tuple[float, float, float, float]]:
    return -_excess(each), -each.detection.score, each.detection.label, each.detection.box_px


def _finding(each: _Judged, reason: Reason, threshold: str) -> Finding:
    detection = each.detection
    x, y, width, height = detection.box_px
    text = f"{detection.label} {detection.score:.2f} at x={x:.0f} y={y:.0f}, {width:.0f} x {height:.0f} px, {threshold}"
    return Finding(reason, text, detection)
