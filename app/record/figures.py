"""What charts read: counts of parts by time, lot and terms, without a look at a single part. Cannot write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, select, tuple_

from app.record.database import FILE
from app.record.figure_tables import CAUSES, LATENCIES, TALLIES
from app.record.keys import PartKey, in_groups
from app.record.open_files import OpenFiles
from app.record.tables import FOUND, HEADS, PARTS, PICTURES, TERMS
from app.record.tallied import COUNTED

_BINS = 1024
"""More than there are bins of latency: the last one would be of years."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Which parts are meant; what is `None` excludes none.

    Attributes:
        lane: The lane.
        lot: The lot.
        recipe: Name of the recipe that judged.
        package: Name of the model package that judged.
        since_us: Triggered at this moment or later, in microseconds since 1970 UTC, to the five minutes.
        until_us: Triggered before this moment.
    """

    lane: int | None = None
    lot: str | None = None
    recipe: str | None = None
    package: str | None = None
    since_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class Tallied:
    """Parts counted.

    Attributes:
        triggers: Parts.
        passed: Of those, how many passed.
        rejected: Were rejected.
        lost: Were lost.
        flagged: Whether passed or not, a person should look at.
    """

    triggers: int = 0
    passed: int = 0
    rejected: int = 0
    lost: int = 0
    flagged: int = 0

    @property
    def settled(self) -> int:
        """Parts that have their outcome."""
        return self.passed + self.rejected + self.lost

    @property
    def in_flight(self) -> int:
        """Parts that have none yet."""
        return self.triggers - self.settled

    @property
    def yield_share(self) -> float | None:
        """Share of the settled that passed; `None` before the first."""
        return self.passed / self.settled if self.settled else None

    def __add__(self, other: Tallied) -> Tallied:
        return Tallied(*(getattr(self, name) + getattr(other, name) for name in COUNTED))


@dataclass(frozen=True, slots=True)
class Terms:
    """Under what parts were judged.

    Attributes:
        lane: The lane.
        row: The row of the ledger from which it held; 0 where that is unknown.
        package: The model package.
        package_sha256: Hash of its model.
        recipe: The recipe.
        recipe_sha256: Hash of its text.
        runtime: What ran the model.
        since_us: When it began.
    """

    lane: int
    row: int
    package: str = ""
    package_sha256: str = ""
    recipe: str = ""
    recipe_sha256: str = ""
    runtime: str = ""
    since_us: int = 0


@dataclass(frozen=True, slots=True)
class JudgedPart:
    """How a part was judged.

    Attributes:
        verdict: The destination that was judged.
        reasons: Codes of the reasons, separated by blanks.
        terms: Row of the terms.
        lot: Its lot.
        trigger_us: When it was triggered.
    """

    verdict: str
    reasons: str
    terms: int
    lot: str
    trigger_us: int


class Figures:
    """The counts of one box, for reading. A ledger that is not there yet reads as an empty one.

    Args:
        folder: The ledger's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._files = OpenFiles()

    def close(self) -> None:
        """Lets go of the file. Idempotent."""
        self._files.close()

    def tallies(self, which: Slice, step_us: int, offset_us: int = 0) -> dict[int, Tallied]:
        """Counts over time.

        Args:
            which: The parts.
            step_us: Length of a step: a whole number of stretches.
            offset_us: Steps begin at multiples of the length, less this: the time zone's distance from UTC.

        Returns:
            By the start of each step that has parts, in order, in microseconds since 1970 UTC.

        Raises:
            RecordError: The ledger cannot be read; so do all calls below.
        """
        start = _step(TALLIES, step_us, offset_us)
        sums = [func.sum(TALLIES.c[name]) for name in COUNTED]
        query = select(start, *sums).where(_of(TALLIES, which)).group_by(start).order_by(start)
        return {each[0]: Tallied(*each[1:]) for each in self._rows(query)}

    def total(self, which: Slice) -> Tallied:
        """All of them together."""
        query = select(*(func.coalesce(func.sum(TALLIES.c[name]), 0) for name in COUNTED)).where(_of(TALLIES, which))
        rows = self._rows(query)
        return Tallied(*rows[0]) if rows else Tallied()

    def by_terms(self, which: Slice) -> dict[tuple[int, int], Tallied]:
        """Counts by lane and row of the terms."""
        sums = [func.sum(TALLIES.c[name]) for name in COUNTED]
        keys = (TALLIES.c.lane, TALLIES.c.terms)
        query = select(*keys, *sums).where(_of(TALLIES, which)).group_by(*keys).order_by(*keys)
        return {(each[0], each[1]): Tallied(*each[2:]) for each in self._rows(query)}

    def by_lot(self, which: Slice) -> dict[str, dict[str, Tallied]]:
        """Counts by package and, within it, by lot."""
        sums = [func.sum(TALLIES.c[name]) for name in COUNTED]
        terms = TALLIES.join(TERMS, _same_terms(TALLIES), isouter=True)
        package = func.coalesce(TERMS.c.package, "")
        query = select(package, TALLIES.c.lot, *sums).select_from(terms).where(_of(TALLIES, which))
        found: dict[str, dict[str, Tallied]] = {}
        for name, lot, *counts in self._rows(query.group_by(package, TALLIES.c.lot)):
            found.setdefault(name, {})[lot] = Tallied(*counts)
        return found

    def causes(self, which: Slice) -> dict[str, int]:
        """Rejected parts by what decided it, the most frequent first."""
        parts = func.sum(CAUSES.c.parts)
        query = select(CAUSES.c.cause, parts).where(_of(CAUSES, which)).group_by(CAUSES.c.cause)
        return {each[0]: each[1] for each in self._rows(query.order_by(parts.desc(), CAUSES.c.cause))}

    def latencies(self, which: Slice, step_us: int, offset_us: int = 0) -> dict[int, Counter[int]]:
        """Parts by bin of latency over time; arguments as `tallies`."""
        # By one whole number: to sort by two columns takes SQLite half as long again.
        step = (LATENCIES.c.stretch_us + offset_us) // step_us
        place = (step * _BINS + LATENCIES.c.bin).label("place")
        query = select(place, func.sum(LATENCIES.c.parts)).where(_of(LATENCIES, which)).group_by(place).order_by(place)
        found: dict[int, Counter[int]] = {}
        for number, parts in self._rows(query):
            steps, bin_ = divmod(number, _BINS)
            found.setdefault(steps * step_us - offset_us, Counter())[bin_] = parts
        return found

    def terms(self) -> dict[tuple[int, int], Terms]:
        """Every terms that parts were ever judged under, by lane and row."""
        said = ("package", "package_sha256", "recipe", "recipe_sha256", "runtime")
        columns = [TERMS.c.lane, TERMS.c.row, *(func.coalesce(TERMS.c[name], "") for name in said), TERMS.c.since_us]
        rows = self._rows(select(*columns).order_by(TERMS.c.lane, TERMS.c.row))
        found = [Terms(*(each[index] for index in range(len(columns)))) for each in rows]
        return {(each.lane, each.row): each for each in found}

    def terms_of_lot(self, lot: str, lane: int) -> list[Terms]:
        """The terms that parts of a lot were judged under, in order."""
        known = self.terms()
        rows = self._rows(
            select(TALLIES.c.terms)
            .where((TALLIES.c.lot == lot) & (TALLIES.c.lane == lane))
            .distinct()
            .order_by(TALLIES.c.terms)
        )
        return [known.get((lane, each[0]), Terms(lane, each[0])) for each in rows]

    def lots(self, most: int = 200) -> list[str]:
        """The names of lots, the newest first."""
        newest = func.max(TALLIES.c.stretch_us)
        return [
            each[0]
            for each in self._rows(select(TALLIES.c.lot).group_by(TALLIES.c.lot).order_by(newest.desc()).limit(most))
        ]

    def lot_span(self, lot: str, lane: int) -> int | None:
        """When a lot's first part was triggered, to the five minutes; `None` where it has none."""
        where = (TALLIES.c.lot == lot) & (TALLIES.c.lane == lane)
        rows = self._rows(select(func.min(TALLIES.c.stretch_us)).where(where))
        return rows[0][0] if rows else None

    def span(self) -> tuple[int, int] | None:
        """When the first and the last part were triggered, to the five minutes; `None` before the first."""
        query = select(func.min(TALLIES.c.stretch_us), func.max(TALLIES.c.stretch_us))
        rows = self._rows(query)
        return (rows[0][0], rows[0][1]) if rows and rows[0][0] is not None else None

    def scores(self, parts: Sequence[PartKey]) -> dict[PartKey, dict[str, float]]:
        """The highest score of each class on each of the parts; parts on which nothing was found are left out."""
        found: dict[PartKey, dict[str, float]] = {}
        for each in self._of_parts(FOUND, parts, ("label", "score")):
            found.setdefault(each[:3], {})[each[3]] = each[4]
        return found

    def judged(self, parts: Sequence[PartKey]) -> dict[PartKey, JudgedPart]:
        """How each of the parts was judged; those without a verdict, or not in the ledger, are left out."""
        names = ("verdict", "reasons", "terms", "lot", "trigger_us")
        return {
            each[:3]: JudgedPart(each[3], each[4] or "", each[5] or 0, each[6] or "", each[7] or 0)
            for each in self._of_parts(PARTS, parts, names)
            if each[3] is not None
        }

    def picture_bytes(self, parts: Sequence[PartKey]) -> int:
        """How much room the pictures of some parts take that are still there."""
        rows = self._of_parts(PICTURES, parts, ("bytes", "gone_us"))
        return sum(each[3] for each in rows if each[4] is None)

    def head(self, lane: int) -> tuple[int, bytes]:
        """Row and hash at the end of a lane's chain; (0, b"") before the first."""
        rows = self._rows(select(HEADS.c.row, HEADS.c.hash).where(HEADS.c.lane == lane))
        return (rows[0][0], rows[0][1]) if rows else (0, b"")

    # How

    def _of_parts(self, table: Table, parts: Sequence[PartKey], names: Sequence[str]) -> Iterator[Any]:
        query = select(*(table.c[name] for name in ("lane", "epoch", "part_id", *names)))
        for where in in_groups(table.c, parts):
            yield from (tuple(each) for each in self._rows(query.where(where)))

    def _rows(self, query: Any) -> Sequence[Any]:
        with self._reading() as connection:
            return [] if connection is None else connection.execute(query).all()

    def _reading(self) -> AbstractContextManager[Connection | None]:
        return self._files.reading_if_made(self._path, "tallies", "latencies")  # the first and the last


def _step(table: Table, step_us: int, offset_us: int) -> ColumnElement[int]:
    # Floor division: `//` keeps SQLite at whole numbers.
    return ((table.c.stretch_us + offset_us) // step_us * step_us - offset_us).label("start")


def _same_terms(table: Table) -> ColumnElement[bool]:
    return and_(TERMS.c.lane == table.c.lane, TERMS.c.row == table.c.terms)


def _of(table: Table, which: Slice) -> ColumnElement[bool]:
    wanted: list[ColumnElement[bool]] = [table.c.lane >= 0]
    wanted += [] if which.lane is None else [table.c.lane == which.lane]
    wanted += [] if which.lot is None else [table.c.lot == which.lot]
    wanted += [] if which.since_us is None else [table.c.stretch_us >= which.since_us]
    wanted += [] if which.until_us is None else [table.c.stretch_us < which.until_us]
    named: Mapping[str, str | None] = {"recipe": which.recipe, "package": which.package}
    if any(each is not None for each in named.values()):
        rows = select(TERMS.c.lane, TERMS.c.row)
        for name, value in named.items():
            if value is not None:
                rows = rows.where(TERMS.c[name] == value)
        wanted.append(tuple_(table.c.lane, table.c.terms).in_(rows))
    return and_(*wanted)
