"""The tables that reviewers read: terms, finds and the queue, written in the transaction of their events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.dialects.sqlite import insert as upsert

from app.record.finds import Finds
from app.record.tables import FOUND, TERMS

LABELS_END = "\n"
"""Stands around each class in `queue.labels`, so that one is found there as a whole."""

_COLUMNS = """
    SELECT parts.trigger_us, parts.lane, parts.epoch, parts.part_id, {why}, coalesce(parts.reasons, ''),
        coalesce(parts.lot, ''), parts.terms,
        coalesce((SELECT char(10) || group_concat(label, char(10)) || char(10) FROM found
            WHERE (found.lane, found.epoch, found.part_id) = (parts.lane, parts.epoch, parts.part_id)), ''),
        (SELECT max(score) FROM found
            WHERE (found.lane, found.epoch, found.part_id) = (parts.lane, parts.epoch, parts.part_id))
    FROM parts WHERE parts.lane = :lane AND parts.epoch = :epoch AND parts.part_id = :part_id
        AND parts.trigger_us IS NOT NULL"""
_INTO = "INSERT INTO queue (at_us, lane, epoch, part_id, why, reasons, lot, terms, labels, top_score)"
_QUEUE_JUDGED = text(
    _INTO
    + _COLUMNS.format(why="CASE WHEN parts.verdict <> 'pass' OR parts.route <> 'pass' THEN 'reject' ELSE 'flagged' END")
    + """ AND (parts.verdict <> 'pass' OR parts.route <> 'pass' OR parts.is_flagged)
    ON CONFLICT (at_us, lane, epoch, part_id) DO UPDATE SET why = excluded.why, reasons = excluded.reasons,
        labels = excluded.labels, top_score = excluded.top_score"""
)
_QUEUE_SAMPLE = text(_INTO + _COLUMNS.format(why="'sample'") + " ON CONFLICT DO NOTHING")


def load_finds(connection: Connection, lane: int) -> Finds:
    """What is known of a lane's terms, for the events that come next."""
    newest = select(TERMS).where(TERMS.c.lane == lane).order_by(TERMS.c.row.desc()).limit(1)
    found = connection.execute(newest).mappings().first()
    return Finds(lane, dict(found) if found is not None else None)


def write_finds(connection: Connection, finds: Finds) -> None:
    """Writes what the events since the last call tell a reviewer. The parts themselves are written already."""
    terms, found, touched = finds.take()
    if terms:
        connection.execute(insert(TERMS), terms)
    if found:
        connection.execute(_FOUND_UPSERT, found)
    if touched:
        connection.execute(_QUEUE_JUDGED, touched)


def queue_samples(connection: Connection, parts: Sequence[dict[str, Any]]) -> None:
    """Puts passed parts into the queue of which a picture is kept as a sample.

    Args:
        connection: Of the writer.
        parts: `lane`, `epoch` and `part_id` of each; what is in the queue already stays as it is.
    """
    if parts:
        connection.execute(_QUEUE_SAMPLE, list(parts))


def _found_upsert() -> Any:
    statement = upsert(FOUND)
    highest = func.max(statement.excluded.score, FOUND.c.score)
    return statement.on_conflict_do_update(
        index_elements=["lane", "epoch", "part_id", "label"], set_={"score": highest}
    )


_FOUND_UPSERT = _found_upsert()
