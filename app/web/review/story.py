"""The whole story of a part for its page: pictures with boxes, what judged it, and each step with its time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from app.errors import ConfigError
from app.recipe import Recipe, parse_recipe
from app.record.told import Entry, PictureRecord, Story, TermsRecord
from app.record.walltime import micros
from app.record.words import sentence
from app.types import EventKind, Scalar
from app.web.findings import Box, Finding, boxes_of, findings_of
from app.web.review.answers import Answer
from app.web.review.opinions import Asked, Opinion, OpinionBox

_US_PER_MS = 1000
_NS_PER_MS = 1_000_000
_STAGES = ("transfer", "wake", "pre", "infer", "decode", "decide")
_ABOUT = ("camera", "destination", "sensor", "outcome", "confirmation", "lot", "serial", "runtime", "to", "reason")
_STEPS: Mapping[EventKind, str] = {
    EventKind.TRIGGER: "trigger",
    EventKind.EXPOSED: "exposed",
    EventKind.FRAME: "frame",
    EventKind.JUDGED: "judged",
    EventKind.VERDICT: "verdict",
    EventKind.REROUTED: "rerouted",
    EventKind.GATE_ON: "gate",
    EventKind.GATE_OFF: "gate",
    EventKind.CONFIRMED: "confirmed",
    EventKind.OUTCOME: "outcome",
}


class StoryBox(Answer):
    """A box that the model drew."""

    label: str
    score: float
    x: float
    y: float
    width: float
    height: float
    kind: str = Field(description="what became of it: DEFECT, FLAGGED, or empty")


class StoryPicture(Answer):
    """A picture of the part, or the record of one."""

    camera: str
    exposure: int
    url: str | None = Field(description="null: it is gone, or none was kept")
    thumb: str | None
    kept_as: str = Field(description="why it was kept; empty: it was not")
    gone_us: int | None = Field(description="when it was deleted")
    gone_why: str
    width: int
    height: int
    boxes: list[StoryBox]
    total_ms: float | None
    stages_ms: dict[str, float]


class StoryStep(Answer):
    """One event."""

    row: int
    kind: str
    step: str = Field(description="the stage on the timeline; empty: it is told in the table only")
    at_us: int = Field(description="microseconds since 1970 UTC")
    after_ms: float = Field(description="since the first event, by the station's own clock")
    words: str
    about: dict[str, str] = Field(description="details by name, for pages in other languages")


class StoryRule(Answer):
    """What a finding of one class meant."""

    label: str = Field(description="the class; empty: every class without a row of its own")
    policy: str
    threshold: float


class StoryTerms(Answer):
    """What the part was judged under."""

    recipe: str
    recipe_sha256: str
    package: str
    package_sha256: str
    runtime: str
    version: str
    rules: list[StoryRule] = Field(description="empty: the recipe's text is not kept")
    flag_margin: float | None


class StoryFinding(Answer):
    """One reason of the verdict."""

    kind: str
    text: str
    label: str = Field(description="the class; empty: it is about no box")
    score: float
    place_px: tuple[int, int, int, int] = Field(description="x, y, width and height of the box")


class OpinionBoxAnswer(StoryBox):
    """A box that another model would have drawn."""

    camera: str
    exposure: int


class StoryOpinion(Answer):
    """What another model would have said."""

    package: str
    version: str
    variant: str
    sha256: str
    runtime: str
    would: str = Field(description="where it would have sent the part")
    is_different: bool = Field(description="the line's model sent it elsewhere, by what it had found")
    label: str = Field(description="the class that it is surest of; empty: it found nothing")
    score: float | None
    took_ms: float = Field(description="all exposures together, at low priority")
    at_us: int = Field(description="when it was asked")
    boxes: list[OpinionBoxAnswer]

    @classmethod
    def of(cls, model: Asked, opinion: Opinion) -> StoryOpinion:
        """An opinion as the API tells it."""
        return cls(
            **{name: getattr(model, name) for name in ("package", "version", "variant", "sha256", "runtime")},
            **{name: getattr(opinion, name) for name in ("would", "is_different", "label", "score", "at_us")},
            took_ms=opinion.took_us / _US_PER_MS,
            boxes=[_opinion_box(each) for each in opinion.boxes],
        )


class StoryAnswer(Answer):
    """A part, from its trigger to its outcome."""

    key: str
    lane: int
    epoch: int
    part: int
    lot: str
    serial: str | None
    triggered_us: int | None
    verdict: str = Field(description="pass, reject, or none: it was never judged")
    route: str
    is_flagged: bool
    findings: list[StoryFinding]
    outcome: str | None
    confirmation: str | None
    total_ms: float | None
    pictures: list[StoryPicture]
    steps: list[StoryStep]
    terms: StoryTerms | None
    opinions: list[StoryOpinion] = Field(description="of other models that were asked, the one asked last first")


def tell(
    story: Story,
    terms: TermsRecord | None,
    recipe_text: str | None,
    opinions: Iterable[tuple[Asked, Opinion]] = (),
) -> StoryAnswer:
    """Puts a part's story together.

    Args:
        story: What the record holds of it.
        terms: What it was judged under.
        recipe_text: The recipe of that time, where it is kept.
        opinions: What other models would have said.
    """
    part = story.part
    findings = findings_of(part.text, " ".join(part.reasons))
    is_reject = "pass" not in (part.verdict, None) or part.route not in ("pass", None)
    return StoryAnswer(
        key=part.name.replace("/", "-"),
        lane=part.lane,
        epoch=part.epoch,
        part=part.part_id,
        lot=part.lot,
        serial=part.serial,
        triggered_us=None if part.triggered is None else micros(part.triggered),
        verdict="none" if part.verdict is None else "reject" if is_reject else "pass",
        route=part.route or "",
        is_flagged=part.is_flagged,
        findings=[_finding(each) for each in findings],
        outcome=part.outcome,
        confirmation=part.confirmation,
        total_ms=part.total_ms,
        pictures=_pictures(story, findings),
        steps=_steps(story.entries),
        terms=None if terms is None else _terms(terms, recipe_text, story),
        opinions=[StoryOpinion.of(*each) for each in opinions],
    )


def _pictures(story: Story, findings: tuple[Finding, ...]) -> list[StoryPicture]:
    judged = {
        (each.event.data.get("exposure"), str(each.event.data.get("camera"))): each.event.data
        for each in story.entries
        if each.event.kind is EventKind.JUDGED
    }
    kept = {(each.exposure, each.camera): each for each in story.pictures}
    places = sorted({*judged, *kept}, key=lambda each: (_whole(each[0]), each[1]))
    return [_picture(place, kept.get(place), judged.get(place, {}), findings) for place in places]  # type: ignore[arg-type]


def _picture(
    place: tuple[object, str], kept: PictureRecord | None, said: Mapping[str, Scalar], findings: tuple[Finding, ...]
) -> StoryPicture:
    is_there = kept is not None and kept.gone is None
    url = f"/api/v1/pictures/{kept.number}" if kept is not None and is_there else None
    total = said.get("total_us")
    return StoryPicture(
        camera=place[1],
        exposure=_whole(place[0]),
        url=url,
        thumb=f"{url}/thumb" if url else None,
        kept_as=kept.kind if kept else "",
        gone_us=None if kept is None or kept.gone is None else micros(kept.gone),
        gone_why=kept.gone_why if kept else "",
        width=_whole(said.get("width")),
        height=_whole(said.get("height")),
        boxes=[_box(each, findings) for each in boxes_of(said.get("detections"))],
        total_ms=total / _US_PER_MS if isinstance(total, (int, float)) else None,
        stages_ms={
            name: took / _US_PER_MS
            for name in _STAGES
            if isinstance(took := said.get(f"{name}_us"), (int, float)) and not isinstance(took, bool)
        },
    )


def _finding(said: Finding) -> StoryFinding:
    return StoryFinding(kind=said.kind, text=said.text, label=said.label, score=said.score, place_px=said.place_px)


def _opinion_box(box: OpinionBox) -> OpinionBoxAnswer:
    x, y, width, height = box.box_px
    place = {"x": x, "y": y, "width": width, "height": height, "camera": box.camera, "exposure": box.exposure}
    return OpinionBoxAnswer.model_validate({"label": box.label, "score": box.score, "kind": box.kind, **place})


def _box(box: Box, findings: tuple[Finding, ...]) -> StoryBox:
    said: dict[str, Any] = box.as_json(findings)
    return StoryBox(**said)


def _steps(entries: Iterable[Entry]) -> list[StoryStep]:
    told = list(entries)
    first_ns = told[0].event.at_ns if told else 0
    return [
        StoryStep(
            row=each.row,
            kind=each.event.kind.value,
            step=_STEPS.get(each.event.kind, ""),
            at_us=micros(each.wall),
            # A station that started anew may count its time from another origin.
            after_ms=max(0.0, (each.event.at_ns - first_ns) / _NS_PER_MS),
            words=sentence(each.event),
            about={name: str(each.event.data[name]) for name in _ABOUT if each.event.data.get(name) not in (None, "")},
        )
        for each in told
    ]


def _terms(terms: TermsRecord, recipe_text: str | None, story: Story) -> StoryTerms:
    recipe = _recipe(recipe_text, story.started)
    labels = {box.label for each in story.entries for box in boxes_of(each.event.data.get("detections"))}
    known = sorted({*labels, *(recipe.classes if recipe else ())})
    rules = [*((label, recipe.rule(label)) for label in known), ("", recipe.default)] if recipe else []
    return StoryTerms(
        recipe=terms.recipe,
        recipe_sha256=terms.recipe_sha256,
        package=terms.package,
        package_sha256=terms.package_sha256,
        runtime=terms.runtime,
        version=terms.version,
        rules=[StoryRule(label=label, policy=rule.policy, threshold=rule.threshold) for label, rule in rules],
        flag_margin=recipe.flag_margin if recipe else None,
    )


def _recipe(text: str | None, started: Mapping[str, Scalar]) -> Recipe | None:
    if text is None:
        return None
    try:
        recipe = parse_recipe(text, "the recipe of that time")
    except ConfigError:
        # One that an older version could read.
        return None
    threshold = started.get("threshold")
    return recipe.settled(threshold) if isinstance(threshold, (int, float)) else recipe


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
