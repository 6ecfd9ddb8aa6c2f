"""Findings and a recipe -> a verdict with its reasons. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from app.recipe import Recipe
from app.types import Detection, Finding, Reason, Verdict
from app.weigh import Ruled, weigh


def decide(part_id: int, detections: Iterable[Detection], recipe: Recipe, now_ns: int) -> Verdict:
    """Reaches the verdict on a part, by `app.weigh.weigh`.

    Args:
        part_id: The part.
        detections: What was found in all pictures of the part.
        recipe: What it means.
        now_ns: When this is decided.

    Returns:
        The verdict; its findings name the worst reason to reject first, then the others, then what was only flagged.
    """
    weighed = weigh(detections, recipe.rule, recipe.flag_margin)
    findings = (
        *(_finding(each, Reason.DEFECT, f"threshold {each.rule.threshold:g}") for each in weighed.rejecting),
        *(
            _finding(each, Reason.FLAGGED, f"threshold {each.rule.threshold:g}, flagged only")
            for each in weighed.flagging
        ),
        *(_finding(each, Reason.FLAGGED, f"just below the threshold {each.rule.threshold:g}") for each in weighed.near),
    )
    return Verdict(
        part_id=part_id,
        destination=weighed.destination,
        findings=findings,
        is_flagged=weighed.is_flagged,
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


def _finding(each: Ruled, reason: Reason, threshold: str) -> Finding:
    detection = each.detection
    x, y, width, height = detection.box_px
    text = f"{detection.label} {detection.score:.2f} at x={x:.0f} y={y:.0f}, {width:.0f} x {height:.0f} px, {threshold}"
    return Finding(reason, text, detection)
