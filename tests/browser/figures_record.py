"""Records to measure pages on: a long queue, months of production. And what keeping the counts for charts costs."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from unittest.mock import patch

import app.record.ledger as writing
from app.record import DOCUMENTS, LEDGER
from app.record.database import FILE, connect_reader
from app.record.documents import keep
from app.record.ledger import Ledger
from app.record.tallying import Tallying
from app.types import EventKind, LedgerEvent
from tests.unit.record.station_events import StationEvents

CLASSES = ("short", "open", "mouse_bite", "spur", "pin_hole")
RECIPE = 'name = "Board A"\n\n[default]\nthreshold = 0.5\n'
DAYS = 92
LOT_PARTS = 2_000
TERMS = 4
"""So many times in all the model was changed."""

BATCH_PARTS = 500
COUNTS = ("tallies", "causes", "latencies")


class Production:
    """A station that makes parts evenly over some days until now.

    Args:
        state: The state folder.
        parts: How many.
        days: Over how long.
        reject_share: How many of them are rejected.
    """

    def __init__(self, state: Path, parts: int, days: float = DAYS, reject_share: float = 0.04) -> None:
        self.folder = state / LEDGER
        self.parts = parts
        self.step_ns = round(days * 86_400e9 / max(1, parts))
        self.end = datetime.now(timezone.utc)
        self.dice = random.Random(7)
        self.reject_share = reject_share
        self.recipe_sha256 = keep(state / DOCUMENTS, RECIPE)
        self.station = StationEvents()

    def write(self, told: Callable[[int], None] = lambda _: None) -> None:
        """Writes them all; `told` hears how many there are."""
        with closing(Ledger.open(self.folder)) as ledger:
            for first in range(0, self.parts, BATCH_PARTS):
                numbers = range(first, min(first + BATCH_PARTS, self.parts))
                events = [event for number in numbers for event in self.part(number)]
                self.append(ledger, events, numbers[-1])
                told(numbers[-1] + 1)

    def append(self, ledger: Ledger, events: list[LedgerEvent], number: int) -> None:
        """Writes events as if part `number` had just been made."""
        left = timedelta(microseconds=(self.parts - number) * self.step_ns / 1_000)
        ledger.append(events, self.end - left, self.station.now_ns)

    def part(self, number: int) -> Iterator[LedgerEvent]:
        """One part from its trigger to its outcome, and what changes with it."""
        station = self.station
        station.now_ns = 1_000_000_000 + number * self.step_ns
        station.lot = f"L{number // LOT_PARTS:06}"
        if number % max(1, self.parts // TERMS) == 0:
            yield self._started(number)
        trigger = station.trigger()
        label, is_reject = self.dice.choice(CLASSES), self.dice.random() < self.reject_share
        destination, outcome = ("reject", "REJECTED") if is_reject else ("pass", "PASSED")
        text = f"{label} 0.81 at x=12 y=30, 20 x 16 px, threshold 0.5" if is_reject else ""
        found = json.dumps([[label, 0.81, 12.0, 30.0, 20.0, 16.0]]) if is_reject else "[]"
        reasons = "DEFECT" if is_reject else ""
        took_us = round(self.dice.lognormvariate(7.9, 0.2))
        yield trigger
        yield station.verdict(trigger.part_id, destination, reasons=reasons, text=text)
        yield station.judged(trigger.part_id, destination, detections=found, total_us=took_us)
        yield station.outcome(trigger.part_id, outcome, reason=reasons)

    def _started(self, number: int) -> LedgerEvent:
        kind = EventKind.RECIPE if number else EventKind.STARTED
        package = f"model-{number // max(1, self.parts // TERMS)}"
        said = {"package": package, "package_sha256": "5f" * 32, "runtime": "onnx", "version": "1", "threshold": 0.3}
        return self.station.event(
            kind, recipe="Board A", recipe_sha256=self.recipe_sha256, lot=self.station.lot, **said
        )


class Cost:
    """How long the recorder takes for each part, and how much of that goes into the counts for charts, in us."""

    def __init__(self) -> None:
        self.whole_us: list[float] = []
        self.counts_us: list[float] = []
        self._counting_ns = 0

    def measure(self, production: Production, parts: int) -> None:
        """Adds more parts, each in a transaction of its own, as a recorder does that keeps up with the line."""
        first = production.parts
        with closing(Ledger.open(production.folder)) as ledger, self._watched():
            for number in range(first, first + parts):
                events = list(production.part(number))
                self._counting_ns, before_ns = 0, time.perf_counter_ns()
                production.append(ledger, events, first)
                self.whole_us.append((time.perf_counter_ns() - before_ns) / 1_000)
                self.counts_us.append(self._counting_ns / 1_000)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        with (
            patch.object(Tallying, "fold", self._timed(Tallying.fold)),
            patch.object(writing, "write_tallies", self._timed(writing.write_tallies)),
        ):
            yield

    def _timed(self, what: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*words: Any) -> Any:
            before_ns = time.perf_counter_ns()
            try:
                return what(*words)
            finally:
                self._counting_ns += time.perf_counter_ns() - before_ns

        return timed


def counts_bytes(folder: Path) -> int | None:
    """How much of the ledger's file the counts for charts take; `None` where this SQLite does not tell."""
    with closing(connect_reader(folder / FILE)) as connection:
        names = connection.execute(
            f"SELECT name FROM sqlite_master WHERE tbl_name IN ({', '.join('?' * len(COUNTS))}) AND rootpage > 0",
            COUNTS,
        ).fetchall()
        try:
            sizes = [
                connection.execute("SELECT sum(pgsize) FROM dbstat WHERE name = ?", name).fetchone() for name in names
            ]
        except sqlite3.OperationalError as error:  # an SQLite that was built without dbstat
            if "dbstat" not in str(error):
                raise
            return None
    return sum(each[0] or 0 for each in sizes)


def forget_files(folder: Path) -> None:
    """Has the system forget what it has read of the files in a folder, so that the next reader waits for the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(handle)
