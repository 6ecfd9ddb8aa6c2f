"""What the pages of the figures ask of the record, the labels and the recipe."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import tomlkit

from app.clock import NS_PER_S
from app.errors import UsageError
from app.recipe import Recipe, parse_recipe
from app.record import DOCUMENTS, LEDGER
from app.record.documents import find, hash_of
from app.record.figures import Figures, Slice, Terms
from app.record.judged import JudgedParts
from app.record.walltime import US_PER_DAY, micros
from app.types import PASS, EventKind, Reason
from app.web.access.refusals import RefusedError
from app.web.context import Context
from app.web.figures.answers import FigureQuery
from app.web.figures.spans import offset_of, parse_shifts, shift_at, step_of
from app.web.figures.trends import Trend, trend_of
from app.web.figures.truth import ModelAccuracy, by_model, is_bad
from app.web.figures.what_if import Evidence, Labelled, collect
from app.web.line.recipes import text_at_work
from app.web.review.label import LabelFilter
from app.web.review.labels import Labels

_DAYS = {"day": 1, "week": 7, "month": 31}
_US_PER_MS = 1_000
_BENCH_NS = 2 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the charts of a slice show.

    Attributes:
        which: The slice.
        step_us: Length of a step.
        offset_us: How far the clock of the box is ahead of UTC.
        trend: The columns.
        bins: Parts by bin of latency, all steps together.
    """

    which: Slice
    step_us: int
    offset_us: int
    trend: Trend
    bins: Counter[int]


@dataclass(frozen=True, slots=True)
class Before:
    """A recipe that a lane judged by.

    Attributes:
        terms: Under what parts were judged then.
        text: The recipe's text.
    """

    terms: Terms
    text: str


@dataclass(frozen=True, slots=True)
class Bench:
    """Labelled parts of a lane, and the recipe that thresholds are tried on.

    Attributes:
        recipe: The recipe, with the model's own threshold where it names none.
        text: Its text.
        evidence: The parts.
        unsure: Labelled parts that are left out because nobody is sure.
        others: Labelled parts that are left out because no threshold decided on them.
        before: The recipe that the lane judged by before this one; `None` where there was none, or its text is gone.
    """

    recipe: Recipe
    text: str
    evidence: Evidence
    unsure: int
    others: int
    before: Before | None = None

    @property
    def sha256(self) -> str:
        """The hash of the recipe's text."""
        return hash_of(self.text)


class FiguresDesk:
    """Answers the questions of the pages.

    Args:
        context: What the pages work with.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self.figures = Figures(context.state / LEDGER)
        self._found = JudgedParts(context.state / LEDGER)
        self.labels = Labels(context.store, context.audit, context.clock)
        self.starts = parse_shifts(context.ui.shifts)
        self._benches: dict[int, tuple[int, str, Bench]] = {}

    @property
    def now(self) -> datetime:
        """The time by the clock on the wall, in the zone of the box."""
        return self._context.clock.wall().astimezone()

    def slice_of(self, query: FigureQuery) -> Slice:
        """The parts that a query means.

        Raises:
            UsageError: It ends before it begins.
        """
        now, since_us = self.now, None
        if query.span == "shift":
            since_us = shift_at(now, self.starts).since_us
        elif query.span in _DAYS:
            since_us = micros(now) - _DAYS[query.span] * US_PER_DAY
        if query.since_ms is not None:
            since_us = query.since_ms * _US_PER_MS
        until_us = None if query.until_ms is None else query.until_ms * _US_PER_MS
        if since_us is not None and until_us is not None and until_us <= since_us:
            raise UsageError(
                "until_ms: that is before the time from which the figures are asked", "correct the address"
            )
        return Slice(query.lane, query.lot, query.recipe, query.package, since_us, until_us)

    def drawn(self, which: Slice) -> Drawn:
        """The charts of a slice.

        Raises:
            RecordError: The ledger cannot be read; so do all calls below.
        """
        span = self.figures.span()
        first, last = span or (0, 0)
        since_us = max(first, which.since_us or first)
        until_us = min(last, which.until_us or last)
        step_us, offset_us = step_of(since_us, until_us), offset_of(self.now)
        latencies = self.figures.latencies(which, step_us, offset_us)
        trend = trend_of(self.figures.tallies(which, step_us, offset_us), latencies)
        return Drawn(which, step_us, offset_us, trend, sum(latencies.values(), Counter()))

    def models(self) -> list[ModelAccuracy]:
        """Escapes and overkill by version of the model, by all labels."""
        labels = list(self.labels.all())
        return by_model(labels, self.figures.judged([each.key for each in labels]), self.figures.terms())

    def recent_bench(self, lane: int) -> Bench:
        """The same as `bench`, up to two seconds old: a slider asks many times a second. Raises as that does."""
        now_ns, at_work = self._context.clock.now_ns(), self._at_work(lane)
        made_ns, under, known = self._benches.get(lane, (0, "", None))
        if known is None or under != at_work or now_ns - made_ns > _BENCH_NS:
            known = self.bench(lane)
            self._benches[lane] = (now_ns, at_work, known)
        return known

    def forget_benches(self) -> None:
        """The recipe has changed: what was tried before is tried anew."""
        self._benches.clear()

    def bench(self, lane: int) -> Bench:
        """What thresholds of a lane's recipe can be tried on.

        Raises:
            RefusedError: It is not known which recipe the lane judges by (409), or there is no such lane (404).
        """
        if lane not in (each.number for each in self._context.live.lanes):
            raise RefusedError(404, f"there is no lane {lane}", "name one that the operator's page shows")
        text = self._text(lane)
        recipe = parse_recipe(text, "the recipe at work")
        own = self._own_threshold(lane)
        recipe = recipe if own is None else recipe.settled(own)
        labels = list(self.labels.all(LabelFilter(lane=lane)))
        keys = [each.key for each in labels]
        judged, found = self.figures.judged(keys), self._found.found(keys)
        known, unsure, others = [], 0, 0
        for label in labels:
            bad, part = is_bad(label.kind), judged.get(label.key)
            if bad is None:
                unsure += 1
            elif part is None or label.key not in found or not _was_decided_by_scores(part.verdict, part.reasons):
                others += 1
            else:
                known.append(Labelled(bad, found[label.key]))
        return Bench(recipe, text, collect(known, recipe), unsure, others, self._before(lane, hash_of(text)))

    def _at_work(self, lane: int) -> str:
        """The hash of the recipe that a lane's station says it judges by; empty where it says nothing."""
        if lane not in (each.number for each in self._context.live.lanes):
            return ""
        status = self._context.live.status(lane)["status"]
        return str(status["recipe_sha256"]) if status else ""

    def _before(self, lane: int, sha256: str) -> Before | None:
        """What the lane judged by before a recipe."""
        known = sorted(
            (each for each in self.figures.terms().values() if each.lane == lane), key=lambda each: -each.row
        )
        terms = next((each for each in known if each.recipe_sha256 not in ("", sha256)), None)
        text = find(self._context.state / DOCUMENTS, terms.recipe_sha256) if terms else None
        return None if terms is None or text is None else Before(terms, text)

    def _text(self, lane: int) -> str:
        """The recipe that the lane judges by; while its station rests, the one that it judged by last."""
        try:
            return text_at_work(self._context, lane)
        except RefusedError:
            rows = [each for each in self.figures.terms().values() if each.lane == lane]
            last = max(rows, key=lambda each: each.row).recipe_sha256 if rows else ""
            text = find(self._context.state / DOCUMENTS, last)
            if text is None:
                raise
            return text

    def _own_threshold(self, lane: int) -> float | None:
        """The model's own threshold, as the station said when it started last."""
        rows = [each.row for each in self.figures.terms().values() if each.lane == lane]
        for row in sorted(rows, reverse=True):
            entry = next(self._context.records.entries(lane, after_row=row - 1), None)
            if entry is not None and entry.event.kind is EventKind.STARTED:
                said = entry.event.data.get("threshold")
                return float(said) if isinstance(said, (int, float)) else None
        return None


def with_thresholds(text: str, thresholds: dict[str, float]) -> str:
    """The text of a recipe with other thresholds; comments and everything else stay as they are.

    Args:
        text: The recipe.
        thresholds: By class.

    Raises:
        ConfigError: A threshold is none.
    """
    document = tomlkit.parse(text)
    classes = document.setdefault("classes", tomlkit.table(is_super_table=True))
    for label, threshold in sorted(thresholds.items()):
        if label not in classes:
            classes[label] = tomlkit.table()
        classes[label]["threshold"] = threshold
    changed = tomlkit.dumps(document)
    parse_recipe(changed, "the recipe with these thresholds")
    return changed


def _was_decided_by_scores(verdict: str, reasons: str) -> bool:
    """A part that was rejected because it had no frame, or was late, would be so at every threshold."""
    codes = set(reasons.split())
    return verdict == PASS or codes <= {Reason.DEFECT.value, Reason.FLAGGED.value}
