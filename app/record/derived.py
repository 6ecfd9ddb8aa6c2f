"""The tables derived from the events: what a new summary starts from, and where its changes go."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from app.record.review import load_finds, write_finds
from app.record.summary import OpenPart, Summary
from app.record.tables import EPOCHS, EVENTS, HEADS, LOTS, PARTS, is_open

_KEPT = ("lot", "trigger_us", "trigger_count", "verdict", "reasons", "text", "terms")
"""The first word counts."""
_LATEST = ("serial", "route", "outcome", "confirmation", "destination", "settled_us")
"""The last word counts."""


def load_summary(connection: Connection, lane: int) -> Summary:
    """What the ledger knows of a lane's parts that have no outcome, and how far it goes."""
    head = connection.execute(select(HEADS).where(HEADS.c.lane == lane)).first()
    if head is None:
        return Summary(lane)
    columns = (PARTS.c.epoch, PARTS.c.part_id, PARTS.c.lot, PARTS.c.trigger_count, PARTS.c.route)
    parts = {
        (found.epoch, found.part_id): OpenPart(found.lot, found.trigger_count, found.route or "")
        for found in connection.execute(select(*columns).where(is_open(lane)))
    }
    counts = {epoch: _last_count(connection, lane, epoch) for epoch in {epoch for epoch, _ in parts} | {head.epoch}}
    known = {epoch: count for epoch, count in counts.items() if count is not None}
    return Summary(lane, head.epoch, head.sequence, parts, known, load_finds(connection, lane))


def _last_count(connection: Connection, lane: int, epoch: int) -> int | None:
    after = select(func.min(EPOCHS.c.first_row)).where((EPOCHS.c.lane == lane) & (EPOCHS.c.epoch > epoch))
    end = connection.execute(after).scalar()
    where = EVENTS.c.lane == lane
    if end is not None:
        where &= EVENTS.c.row < end
    found = connection.execute(
        select(EVENTS.c.epoch, EVENTS.c.count).where(where).order_by(EVENTS.c.row.desc()).limit(1)
    ).first()
    return int(found[1]) if found is not None and found[0] == epoch else None


def write_changes(connection: Connection, summary: Summary) -> None:
    """Writes what the events since the last call change in parts and lots."""
    parts, lots = summary.take_changes()
    if parts:
        connection.execute(_PART_UPSERT, parts)
    write_finds(connection, summary.finds)
    if lots:
        connection.execute(_LOT_UPSERT, [{key: each[key] for key in _LOT_COLUMNS} for each in lots])
        reopened = [each["lot"] for each in lots if each["is_opened"]]
        if reopened:
            key = (LOTS.c.lane == summary.lane) & LOTS.c.lot.in_(reopened)
            connection.execute(update(LOTS).where(key).values(closed_us=None))


def _part_upsert() -> Any:
    statement = upsert(PARTS)
    new, old = statement.excluded, PARTS.c
    setting: dict[str, Any] = {name: func.coalesce(old[name], new[name]) for name in _KEPT}
    setting |= {name: func.coalesce(new[name], old[name]) for name in _LATEST}
    setting["is_flagged"] = func.max(new.is_flagged, old.is_flagged)
    setting["total_us"] = func.coalesce(func.max(new.total_us, old.total_us), new.total_us, old.total_us)
    setting["last_row"] = new.last_row
    return statement.on_conflict_do_update(index_elements=["lane", "epoch", "part_id"], set_=setting)


def _lot_upsert() -> Any:
    statement = upsert(LOTS)
    new, old = statement.excluded, LOTS.c
    setting: dict[str, Any] = {name: old[name] + new[name] for name in ("triggers", "passed", "rejected", "lost")}
    setting["opened_us"] = func.coalesce(old.opened_us, new.opened_us)
    setting |= {name: func.coalesce(new[name], old[name]) for name in ("opened_row", "closed_us")}
    return statement.on_conflict_do_update(index_elements=["lane", "lot"], set_=setting)


_LOT_COLUMNS = tuple(column.name for column in LOTS.columns)
_PART_UPSERT = _part_upsert()
_LOT_UPSERT = _lot_upsert()
