"""A whole line and its recipe in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.cli.cautions import Stop, start_in_words, stops_in_words, warnings_in_words
from app.cli.journey import Claim, Moment, Slack, journey_of, pins_in_words, slack_of
from app.config import Line
from app.recipe import DefaultRule, Recipe


@dataclass(frozen=True, slots=True)
class Explanation:
    """A whole line in words.

    Attributes:
        name: The line's name and lane.
        journey: One part's journey, in the order of the belt at full speed.
        slack: Per gate and camera.
        pins: Every claim.
        start: What happens at start and after a reset.
        stops: What latches a stop.
        recipe: What becomes of findings, per class.
        warnings: What works but leaves something unseen.
    """

    name: str
    journey: tuple[Moment, ...]
    slack: tuple[Slack, ...]
    pins: tuple[Claim, ...]
    start: tuple[str, ...]
    stops: tuple[Stop, ...]
    recipe: tuple[str, ...]
    warnings: tuple[str, ...]


def explain(line: Line, recipe: Recipe, classes: Sequence[str]) -> Explanation:
    """Says what a line will do.

    Args:
        line: The line.
        recipe: Its recipe.
        classes: The classes of its model.
    """
    return Explanation(
        name=f"{line.line.name}, lane {line.line.lane}",
        journey=journey_of(line),
        slack=slack_of(line),
        pins=pins_in_words(line),
        start=start_in_words(line),
        stops=stops_in_words(line),
        recipe=recipe_in_words(recipe, classes),
        warnings=warnings_in_words(line),
    )


def recipe_in_words(recipe: Recipe, classes: Sequence[str]) -> tuple[str, ...]:
    """One sentence per rule, classes with the same rule together."""
    groups: dict[str, list[str]] = {}
    for label in classes:
        groups.setdefault(_rule_in_words(recipe.rule(label)), []).append(label)
    sentences = [f"{', '.join(labels)}: {text}" for text, labels in groups.items()]
    if recipe.roi:
        roi = recipe.roi
        sentences.append(
            f"only {roi.width_px} x {roi.height_px} px at x={roi.x_px} y={roi.y_px} of the picture are judged"
        )
    if recipe.flag_margin:
        sentences.append(
            f"a finding up to {recipe.flag_margin:g} below its threshold flags the part for a person to look at"
        )
    return tuple(sentences)


def _rule_in_words(rule: DefaultRule) -> str:
    if rule.policy == "ignore":
        return "ignored"
    limits = [f"scores of {rule.threshold:g} and more"]
    if rule.min_width_px:
        limits.append(f"{rule.min_width_px:g} px and wider")
    if rule.min_height_px:
        limits.append(f"{rule.min_height_px:g} px and taller")
    if rule.min_area_px:
        limits.append(f"{rule.min_area_px:g} square px and larger")
    what = f"reject to {rule.destination!r}" if rule.policy == "reject" else "only flag the part"
    return f"{', '.join(limits)} {what}"
