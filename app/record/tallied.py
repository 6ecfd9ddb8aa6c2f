"""The tables of figures: what a new tally starts from, and where its changes go."""

from __future__ import annotations

from sqlalchemy import Connection, Table, select

from app.record.figure_tables import CAUSES, LATENCIES, TALLIES
from app.record.tables import PARTS, is_open
from app.record.tallying import Counted, Tallying, label_of, stretch_of

COUNTED = ("triggers", "passed", "rejected", "lost", "flagged")


def load_tallying(connection: Connection, lane: int) -> Tallying:
    """What the ledger knows of a lane's parts that have no outcome."""
    columns = ("epoch", "part_id", "lot", "trigger_us", "reasons", "text", "total_us", "terms", "is_flagged")
    parts = {}
    for found in connection.execute(select(*(PARTS.c[name] for name in columns)).where(is_open(lane))):
        place = (stretch_of(found.trigger_us), found.terms or 0, found.lot)
        label = label_of(found.reasons or "", found.text or "")
        parts[found.epoch, found.part_id] = Counted(place, label, found.total_us, bool(found.is_flagged))
    return Tallying(parts)


def write_tallies(connection: Connection, lane: int, tallying: Tallying) -> None:
    """Writes what the events since the last call add to the figures."""
    counts = tallying.take_changes()
    if counts.tallies:
        rows = [(lane, *place, *(counted[name] for name in COUNTED)) for place, counted in counts.tallies.items()]
        connection.exec_driver_sql(_ADD_TALLY, rows)
    if counts.causes:
        connection.exec_driver_sql(
            _ADD_CAUSE, [(lane, *place, cause, n) for (place, cause), n in counts.causes.items()]
        )
    if counts.latencies:
        rows = [(lane, *place, number, n) for (place, number), n in counts.latencies.items()]
        connection.exec_driver_sql(_ADD_LATENCY, rows)


def _adding(table: Table, *names: str) -> str:
    """As text: built anew for every commit, these statements would cost more than SQLite does."""
    columns = [column.name for column in table.columns]
    keys = ", ".join(column.name for column in table.primary_key)
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in names)
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - names of our own
        f" ON CONFLICT ({keys}) DO UPDATE SET {added}"
    )


_ADD_TALLY = _adding(TALLIES, *COUNTED)
_ADD_CAUSE = _adding(CAUSES, "parts")
_ADD_LATENCY = _adding(LATENCIES, "parts")
