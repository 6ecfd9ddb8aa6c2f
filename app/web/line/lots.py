"""The lots of a lane: the one that runs, those that wait to be closed, and how many parts each shall have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from app.record.told import LotRecord
from app.record.walltime import micros
from app.types import Tally
from app.web.context import Context
from app.web.store.alarms import PLANNED

MOST_CLOSED = 8
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Lot:
    """One lot.

    Attributes:
        name: Its name.
        is_running: Parts that are triggered now belong to it.
        is_closed: Its account is final.
        planned: How many parts it shall have; `None` where nobody said.
        by: Who began it; empty where nobody did on a page.
        tally: Its account.
        opened_us: When it was opened, in microseconds since 1970 UTC.
        closed_us: When its account was closed.
    """

    name: str
    is_running: bool
    is_closed: bool
    planned: int | None
    by: str
    tally: Tally
    opened_us: int | None
    closed_us: int | None


def lots_of(context: Context, lane: int) -> list[Lot]:
    """The running lot, then those that are open, then the last that were closed.

    Raises:
        RecordError: The ledger or the store cannot be read.
    """
    running, tally = _running(context, lane)
    planned = _planned(context, lane)
    records = {each.lot: each for each in context.records.lots(lane, most=200)}
    if running and running not in records:
        records[running] = LotRecord(lane, running, None, None, tally)
    lots = [_lot(each, running, tally, planned) for each in records.values()]
    opened = [each for each in lots if not each.is_closed]
    closed = [each for each in lots if each.is_closed][:MOST_CLOSED]
    return sorted(opened, key=lambda each: not each.is_running) + closed


def plan(context: Context, lane: int, lot: str, planned: int | None, by: str) -> None:
    """Notes how many parts a lot shall have.

    Raises:
        RecordError: The store cannot be written.
    """
    values = {"planned": planned, "by": by, "at_us": micros(context.clock.wall())}
    statement = insert(PLANNED).values(lane=lane, lot=lot, **values)
    with context.store.writing() as connection:
        connection.execute(statement.on_conflict_do_update(index_elements=["lane", "lot"], set_=values))


def interim(running: str, taken: Mapping[str, object] | set[str]) -> str:
    """The name of the lot that takes what comes between the end of one lot and the start of the next.

    Args:
        running: The lot that ends.
        taken: The names that are in use.
    """
    stem = running[: _LONGEST_NAME - 4].rstrip("+")
    return next(name for count in range(1, 1000) if (name := f"{stem}+{count}") not in taken)


def _running(context: Context, lane: int) -> tuple[str, Tally]:
    status = context.live.status(lane)["status"]
    if not status:
        return "", Tally()
    names = ("triggers", "passed", "rejected", "lost", "in_flight")
    return str(status["lot"]), Tally(*(int(status["tally"][name]) for name in names))


def _planned(context: Context, lane: int) -> dict[str, tuple[int | None, str]]:
    query = select(PLANNED.c.lot, PLANNED.c.planned, PLANNED.c.by).where(PLANNED.c.lane == lane)
    with context.store.reading() as connection:
        return {each.lot: (each.planned, each.by) for each in connection.execute(query)}


def _lot(record: LotRecord, running: str, tally: Tally, planned: Mapping[str, tuple[int | None, str]]) -> Lot:
    is_running = record.lot == running
    wanted, by = planned.get(record.lot, (None, ""))
    return Lot(
        name=record.lot,
        is_running=is_running,
        is_closed=record.closed is not None and not is_running,
        planned=wanted,
        by=by,
        # The ledger is a moment behind the station.
        tally=tally if is_running else record.tally,
        opened_us=None if record.opened is None else micros(record.opened),
        closed_us=None if record.closed is None else micros(record.closed),
    )
