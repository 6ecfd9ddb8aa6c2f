"""The JSON contract of the figures, under `/api/v1/figures`."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response

from app.errors import ConfigError, UsageError
from app.recipe import parse_recipe
from app.record.documents import hash_of
from app.record.figures import Slice
from app.web.access.present import reason, somebody
from app.web.access.refusals import RefusedError
from app.web.figures import answers, views
from app.web.figures.desk import Bench, FiguresDesk, with_thresholds
from app.web.figures.shifts import shift_figures
from app.web.figures.trends import percentile_ms
from app.web.figures.what_if import Curve, Told, changed, curve_of, flagged_of, judge, outcome_of, support_of
from app.web.lane import Lane
from app.web.line.recipes import adopt
from app.web.openapi import asked, documented, sent, told

_MS = views.US_PER_MS
_LEAST = 30
"""So many bad and so many good parts are the least that a change of thresholds should rest on."""


def add_figures(blueprint: Blueprint, desk: FiguresDesk, lanes: list[Lane]) -> None:
    """The charts' data.

    Args:
        blueprint: Gets the views.
        desk: Who answers.
        lanes: The lanes.
    """

    @blueprint.get("/api/v1/figures")
    @documented(answer=answers.FiguresAnswer, query=answers.FigureQuery, errors=(503,))
    def data() -> Response:
        """Counts, control chart, causes and latencies of a slice of the record.

        They come from counts that the recorder keeps by five minutes, not from the parts.
        """
        return told(_figures(desk, desk.slice_of(asked(answers.FigureQuery)), lanes))

    @blueprint.get("/api/v1/figures/choices")
    @documented(answer=answers.ChoicesAnswer, errors=(503,))
    def choices() -> Response:
        """What figures can be asked of: lanes, lots, recipes, model packages and the time that they cover."""
        return told(choices_of(desk, lanes))

    @blueprint.get("/api/v1/figures/shifts")
    @documented(answer=answers.ShiftsAnswer, query=answers.ShiftQuery, errors=(503,))
    def shifts() -> Response:
        """This shift, the one before, and this hour."""
        lane = asked(answers.ShiftQuery).lane
        return told(views.shifts(shift_figures(desk.figures, desk.now, desk.starts, lane)))

    @blueprint.get("/api/v1/figures/models")
    @documented(answer=answers.ModelsAnswer, errors=(503,))
    def models() -> Response:
        """Escapes and overkill by version of the model, by the labels, and lots that several models judged."""
        shared = views.shared_lots(desk.figures.by_lot(Slice()), desk.figures.lots())
        return told(answers.ModelsAnswer(models=[views.model(each) for each in desk.models()], shared=shared))


def add_what_if(blueprint: Blueprint, desk: FiguresDesk) -> None:
    """Trying thresholds, and putting them to work.

    Args:
        blueprint: Gets the views.
        desk: Who answers.
    """

    @blueprint.post("/api/v1/figures/what-if")
    @documented(answer=answers.WhatIfAnswer, body=answers.WhatIf, errors=(404, 409, 503))
    def try_thresholds() -> Response:
        """What other thresholds would have done to the parts that people have labelled. Changes nothing.

        It rests on the findings in the ledger, and decides by the rule of the station: thresholds, minimum sizes, the
        margin for flags. Findings below the floor of the model were never recorded, so nothing is known of thresholds
        below it.
        """
        wanted = sent(answers.WhatIf)
        return told(_tried(desk.recent_bench(wanted.lane), wanted))

    @blueprint.post("/api/v1/figures/what-if/apply")
    @documented(answer=answers.Applied, body=answers.Apply, errors=(404, 409, 503))
    def apply() -> Response:
        """Puts thresholds to work: the station judges by them from the next part on.

        Refused (409) where the lane judges by another recipe meanwhile than the one they were tried on.
        """
        wanted = sent(answers.Apply)
        _check(wanted.thresholds)
        bench = _unchanged(desk, wanted)
        unknown = sorted(set(wanted.thresholds) - set(bench.evidence.thresholds))
        if unknown:
            raise UsageError(
                f"thresholds.{unknown[0][:80]}: the recipe has no such class, or ignores it", "leave it out"
            )
        try:
            text = with_thresholds(bench.text, wanted.thresholds)
        except ConfigError as error:
            raise UsageError(error.what, error.mend) from error
        return _adopted(desk, wanted.lane, text)

    @blueprint.post("/api/v1/figures/what-if/back")
    @documented(answer=answers.Applied, body=answers.Back, errors=(404, 409, 503))
    def go_back() -> Response:
        """Puts the recipe to work again that the lane judged by before the one that holds.

        Refused (409) where the lane judges by another recipe meanwhile than the one that was shown.
        """
        wanted = sent(answers.Back)
        before = _unchanged(desk, wanted).before
        if before is None:
            raise RefusedError(
                409, "no earlier recipe of this lane is known", "choose one on the operator's page, under Recipe"
            )
        return _adopted(desk, wanted.lane, before.text)


def _unchanged(desk: FiguresDesk, wanted: answers.Back) -> Bench:
    """The bench of a lane that still judges by the recipe that was shown."""
    bench = desk.bench(wanted.lane)
    if bench.sha256 != wanted.recipe_sha256:
        raise RefusedError(
            409, "the recipe was changed meanwhile", "try the thresholds again on the one that holds now"
        )
    return bench


def _adopted(desk: FiguresDesk, lane: int, text: str) -> Response:
    reply = adopt(lane, text, somebody(), reason())
    desk.forget_benches()
    name = parse_recipe(text, "the recipe").name
    return told(answers.Applied(recipe=name, recipe_sha256=hash_of(text), epoch=reply.epoch, sequence=reply.sequence))


def choices_of(desk: FiguresDesk, lanes: list[Lane]) -> answers.ChoicesAnswer:
    """What figures can be asked of."""
    terms, span = desk.figures.terms().values(), desk.figures.span()
    return answers.ChoicesAnswer(
        lanes=[each.number for each in lanes],
        lots=desk.figures.lots(),
        recipes=sorted({each.recipe for each in terms if each.recipe}),
        packages=sorted({each.package for each in terms if each.package}),
        first_ms=span[0] // _MS if span else None,
        last_ms=span[1] // _MS if span else None,
    )


def _figures(desk: FiguresDesk, which: Slice, lanes: list[Lane]) -> answers.FiguresAnswer:
    drawn = desk.drawn(which)
    return answers.FiguresAnswer(
        since_ms=None if which.since_us is None else which.since_us // _MS,
        until_ms=None if which.until_us is None else which.until_us // _MS,
        total=views.counts(desk.figures.total(which)),
        centre=drawn.trend.control.centre,
        series=views.series(drawn.trend, drawn.step_us, drawn.offset_us),
        causes=views.causes(desk.figures.causes(which)),
        p50_ms=percentile_ms(drawn.bins, 0.5),
        p99_ms=percentile_ms(drawn.bins, 0.99),
        budget_ms=next((each.budget_ms for each in lanes if each.number == which.lane), lanes[0].budget_ms),
    )


def _tried(bench: Bench, wanted: answers.WhatIf) -> answers.WhatIfAnswer:
    _check(wanted.thresholds)
    evidence = bench.evidence
    now = evidence.thresholds
    tried = {label: wanted.thresholds.get(label, each) for label, each in now.items()}
    verdicts = judge(evidence, tried)
    before, after = _outcome(bench, evidence.now), _outcome(bench, verdicts)
    moving = wanted.curve if wanted.curve in now else min(now, default="")
    is_drawn = moving and evidence.rules[moving].policy == "reject"
    return answers.WhatIfAnswer(
        lane=wanted.lane,
        recipe=bench.recipe.name,
        recipe_sha256=bench.sha256,
        before=_before(bench),
        labels=len(evidence.parts),
        unsure=bench.unsure,
        others=bench.others,
        least_score=evidence.least_score,
        flag_margin=evidence.flag_margin,
        classes=_classes(bench, tried),
        now=before,
        tried=after,
        moved=changed(evidence.now, verdicts),
        is_thin=min(after.escapes.of, after.overkill.of) < _LEAST,
        curve=_curve(curve_of(evidence, tried, moving), moving) if is_drawn else None,
    )


def _classes(bench: Bench, tried: dict[str, float]) -> list[answers.ClassRow]:
    support = support_of(bench.evidence)
    return [
        answers.ClassRow(
            label=label,
            policy=rule.policy,
            now=rule.threshold,
            tried=tried.get(label, rule.threshold),
            bad=support[label].bad,
            good=support[label].good,
            small=support[label].small,
        )
        for label, rule in bench.evidence.rules.items()
    ]


def _outcome(bench: Bench, verdicts: Sequence[Told]) -> answers.Outcome:
    return views.outcome(outcome_of(bench.evidence, verdicts), flagged_of(verdicts))


def _before(bench: Bench) -> answers.RecipeBefore | None:
    if bench.before is None:
        return None
    terms = bench.before.terms
    return answers.RecipeBefore(name=terms.recipe, sha256=terms.recipe_sha256, since_ms=terms.since_us // _MS)


def _curve(curve: Curve, label: str) -> answers.CurveAnswer:
    return answers.CurveAnswer(
        label=label,
        thresholds=list(curve.thresholds),
        escapes=list(curve.escapes),
        overkill=list(curve.overkill),
    )


def _check(thresholds: dict[str, float]) -> None:
    for label, each in thresholds.items():
        if not 0 <= each <= 1:
            raise UsageError(f"thresholds.{label[:80]}: {each:g} is no score", "give a number from 0 to 1")
