"""Filters as conditions of SQL, on the queue and on the labels that are attached beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, MetaData, Select, and_, func, select, tuple_

from app.record.review import LABELS_END
from app.record.tables import FOUND, QUEUE, TERMS
from app.types import PASS
from app.web.review.filters import OpinionChoice, QueueFilter
from app.web.store.opinions import OPINION_MODELS, OPINIONS
from app.web.store.reviews import LABELLED

OWN = "own"
"""The name under which the pages' store is attached."""

_OWN_TABLES = MetaData()
OWN_LABELS = LABELLED.to_metadata(_OWN_TABLES, schema=OWN)
OWN_OPINIONS = OPINIONS.to_metadata(_OWN_TABLES, schema=OWN)
OWN_MODELS = OPINION_MODELS.to_metadata(_OWN_TABLES, schema=OWN)
PLACE = (QUEUE.c.at_us, QUEUE.c.lane, QUEUE.c.epoch, QUEUE.c.part_id)
NEWEST = tuple(column.desc() for column in PLACE)
"""All one way, so that the table read backwards gives this order."""

OLDEST = tuple(column.asc() for column in PLACE)


def chosen_from(query: Select[Any], chosen: QueueFilter) -> Select[Any]:
    """A query of the queue, narrowed by a filter."""
    return query.where(and_(True, *_plain(chosen), *_judged(chosen), *_scored(chosen)))


def _plain(chosen: QueueFilter) -> Iterator[ColumnElement[bool]]:
    if chosen.from_us is not None:
        yield QUEUE.c.at_us >= chosen.from_us
    if chosen.to_us is not None:
        yield QUEUE.c.at_us < chosen.to_us
    if chosen.why is not None:
        yield QUEUE.c.why == chosen.why
    if chosen.lot is not None:
        yield QUEUE.c.lot == chosen.lot
    if chosen.lane is not None:
        yield QUEUE.c.lane == chosen.lane


def _judged(chosen: QueueFilter) -> Iterator[ColumnElement[bool]]:
    if chosen.recipe is not None:
        yield _under(TERMS.c.recipe == chosen.recipe)
    if chosen.package is not None:
        yield _under(TERMS.c.package == chosen.package)
    if chosen.reason is not None:
        yield func.instr(" " + QUEUE.c.reasons + " ", f" {chosen.reason} ") > 0
    if chosen.class_name is not None:
        yield func.instr(QUEUE.c.labels, LABELS_END + chosen.class_name + LABELS_END) > 0
    if chosen.label is not None:
        yield _labelled(chosen.label)
    if chosen.opinion is not None or chosen.opinion_of is not None:
        yield _opined(chosen.opinion, chosen.opinion_of)


def _under(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    terms = select(TERMS.c.lane, TERMS.c.row).where(condition)
    return tuple_(QUEUE.c.lane, QUEUE.c.terms).in_(terms)


def _scored(chosen: QueueFilter) -> list[ColumnElement[bool]]:
    if chosen.min_score is None and chosen.max_score is None:
        return []
    low, high = chosen.min_score or 0.0, 1.0 if chosen.max_score is None else chosen.max_score
    if chosen.class_name is None:
        return [QUEUE.c.top_score.between(low, high)]
    of_class = (FOUND.c.label == chosen.class_name) & FOUND.c.score.between(low, high)
    return [select(FOUND.c.score).where(_same_part(FOUND.c), of_class).exists()]


def _labelled(choice: str) -> ColumnElement[bool]:
    of_part = select(OWN_LABELS.c.version).where(_same_part(OWN_LABELS.c), OWN_LABELS.c.kind != "")
    if choice == "none":
        return ~of_part.exists()
    if choice == "any":
        return of_part.exists()
    if choice == "disputed":
        return of_part.where(OWN_LABELS.c.agrees == 0).exists()
    return of_part.where(OWN_LABELS.c.kind == choice).exists()


def _opined(choice: OpinionChoice | None, model: str | None) -> ColumnElement[bool]:
    """Without a choice: the model has judged it at all."""
    of_part = select(OWN_OPINIONS.c.model).where(_same_part(OWN_OPINIONS.c))
    if model is not None:
        asked = select(OWN_MODELS.c.number).where(OWN_MODELS.c.sha256.startswith(model))
        of_part = of_part.where(OWN_OPINIONS.c.model.in_(asked))
    said, would = OWN_OPINIONS.c.said, OWN_OPINIONS.c.would
    if choice == "differs":
        return of_part.where(said != would).exists()
    if choice == "would_reject":
        return of_part.where(said == PASS, would != PASS).exists()
    if choice == "would_pass":
        return of_part.where(said != PASS, would == PASS).exists()
    if choice == "same":
        return of_part.where(said == would).exists()
    return ~of_part.exists() if choice == "none" else of_part.exists()


def _same_part(columns: Any) -> ColumnElement[bool]:
    return and_(columns.lane == QUEUE.c.lane, columns.epoch == QUEUE.c.epoch, columns.part_id == QUEUE.c.part_id)
