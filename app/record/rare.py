"""Events that happen rarely, found without a look at all the others: stops, resets, lots, challenge tests, recipes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import select, text

from app.record.database import FILE
from app.record.open_files import OpenFiles
from app.record.tables import EVENTS, RARE, RARE_INDEX
from app.record.told import Entry
from app.types import EventKind

KINDS = frozenset(
    {
        EventKind.ALARM,
        EventKind.CHALLENGE,
        EventKind.LATCHED,
        EventKind.LOT_CLOSED,
        EventKind.LOT_OPENED,
        EventKind.RECIPE,
        EventKind.RESET,
        EventKind.STARTED,
    }
)
"""Those that `app.record.tables.RARE` names."""


class RareEvents:
    """The rare events of one box, for reading. A ledger that is not there yet has none.

    Args:
        folder: The ledger's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._files = OpenFiles()

    def close(self) -> None:
        """Lets go of the file. Idempotent."""
        self._files.close()

    def newest(
        self, lane: int, kinds: Iterable[EventKind], most: int = 50, before_row: int | None = None
    ) -> list[Entry]:
        """The newest events of some kinds, newest first; those of segments in the archive are left out.

        Args:
            lane: The lane.
            kinds: Which of `KINDS`.
            most: How many at most.
            before_row: Only events before this row, for the next page.

        Raises:
            RecordError: The ledger cannot be read.
            ValueError: A kind is not among the rare ones.
        """
        wanted = frozenset(kinds)
        if not wanted <= KINDS:
            raise ValueError(f"not among the rare events: {sorted(each.value for each in wanted - KINDS)}")
        named = EVENTS.c.kind.in_(sorted(each.value for each in wanted))
        wanted_rows = (EVENTS.c.lane == lane) & text(RARE) & named
        # Without figures on its contents the planner would rather walk the whole lane.
        query = select(EVENTS).with_hint(EVENTS, f"INDEXED BY {RARE_INDEX}", "sqlite").where(wanted_rows)
        if before_row is not None:
            query = query.where(EVENTS.c.row < before_row)
        with self._files.reading_if_made(self._path, RARE_INDEX) as connection:
            if connection is None:
                return []
            rows = connection.execute(query.order_by(EVENTS.c.row.desc()).limit(most))
            return [Entry.of(each) for each in rows]
