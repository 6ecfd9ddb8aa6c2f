"""The audit trail: who changed what, when, from what to what, and why. Append-only, a hash chain in the store.

    hash(row) = SHA-256(hash before || JSON of [row, at_us, who, what, about, before, after, reason])

as UTF-8 without blanks; `before` and `after` are JSON texts as they are stored. The first row continues 32 zero bytes.
Hash chain after Haber and Stornetta, "How to time-stamp a digital document" (1991), as the ledger has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select
from sqlalchemy.dialects.sqlite import insert

from app.clock import Clock
from app.record.chain import GENESIS, link
from app.record.walltime import micros
from app.web.store.accounts import AUDIT, AUDIT_HEAD
from app.web.store.database import Store

_AT_ONCE = 500
_MOST_WORDS = 2_000


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One change.

    Attributes:
        row: 1, 2, ... without gaps.
        at_us: When, in microseconds since 1970 UTC.
        who: Who did it: a person, a machine's token, a user of the box's shell, or a kiosk.
        what: What was done, as `people.role`.
        about: To what or whom.
        before: What it was, as JSON.
        after: What it is now, as JSON.
        reason: Why, in the words of who did it; may be empty.
        hash: Covers all of the above and the row before.
    """

    row: int
    at_us: int
    who: str
    what: str
    about: str
    before: str
    after: str
    reason: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows; what is empty does not choose.

    Attributes:
        who: By exactly this one.
        what: Of this kind, or of a family of kinds where it ends in a dot.
        words: These letters anywhere in who, what, about or reason.
        from_us: Not before.
        to_us: Before.
    """

    who: str = ""
    what: str = ""
    words: str = ""
    from_us: int = 0
    to_us: int = 0


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a check of the chain found.

    Attributes:
        rows: How many rows there are.
        problems: What is not as it was written, each with its row.
    """

    rows: int
    problems: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where a page of rows lies among all that a filter chooses, and what leads to the others.

    Attributes:
        rows: How many rows the filter chooses.
        first_row: The oldest of them; 0: there is none.
        newer_before: `before_row` of the page before this one; 0: that is the newest one.
        oldest_before: `before_row` of the last page; 0: all rows are on one.
    """

    rows: int
    first_row: int
    newer_before: int
    oldest_before: int


class Audit:
    """The trail.

    Args:
        store: Where it lies.
        clock: For the times.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def write(self, who: str, what: str, about: str, before: Any = None, after: Any = None, reason: str = "") -> int:
        """Adds a row; within `store.writing()` it is part of that transaction, so that both are kept or neither.

        Args:
            who: Who did it.
            what: What was done: the area, a dot, and the deed, as `review.label`.
            about: To what or whom.
            before: What it was; anything that JSON can say, without secrets.
            after: What it is now.
            reason: Why.

        Returns:
            The row's number.

        Raises:
            RecordError: The store cannot be used.
            TypeError: JSON cannot say `before` or `after`.
        """
        texts = (
            _clean(who),
            _clean(what),
            _clean(about),
            _json(before),
            _json(after),
            _clean(reason),
        )
        with self._store.writing() as connection:
            head = connection.execute(select(AUDIT_HEAD)).first()
            row, prior = (head.row + 1, head.hash) if head else (1, GENESIS)
            fields = (row, micros(self._clock.wall()), *texts)
            digest = link(prior, content_of(fields))
            connection.execute(AUDIT.insert().values((*fields, digest)))
            update = {"row": row, "hash": digest}
            connection.execute(
                insert(AUDIT_HEAD).values(one=1, **update).on_conflict_do_update(index_elements=["one"], set_=update)
            )
        return int(row)

    def rows(self, chosen: AuditFilter, most: int = 100, before_row: int = 0) -> list[AuditRow]:
        """The newest rows first.

        Args:
            chosen: Which.
            most: How many at most.
            before_row: Only rows before this one, for the next page; 0: from the newest.
        """
        query = _chosen(chosen).order_by(AUDIT.c.row.desc()).limit(most)
        if before_row:
            query = query.where(AUDIT.c.row < before_row)
        with self._store.reading() as connection:
            return [_row(each) for each in connection.execute(query)]

    def leaf(self, chosen: AuditFilter, most: int, top_row: int) -> Leaf:
        """Where a page of rows lies among all that a filter chooses.

        Args:
            chosen: Which.
            most: Rows of a page.
            top_row: The newest row of the page.
        """
        found = _chosen(chosen).subquery()
        with self._store.reading() as connection:
            rows, first = connection.execute(select(func.count(), func.min(found.c.row)).select_from(found)).one()
            # The page's own end is the row that stands a page further up.
            above = select(found.c.row).order_by(found.c.row).offset(most).limit(1)
            newer = connection.execute(above.where(found.c.row > top_row)).scalar()
            oldest = connection.execute(above).scalar()
        return Leaf(rows, first or 0, newer or 0, oldest or 0)

    def stream(self, chosen: AuditFilter | None = None) -> Iterator[AuditRow]:
        """Every chosen row, oldest first; memory stays flat, and no reader is held between two pieces."""
        last = 0
        while True:
            query = _chosen(chosen or AuditFilter()).where(AUDIT.c.row > last).order_by(AUDIT.c.row).limit(_AT_ONCE)
            with self._store.reading() as connection:
                found = [_row(each) for each in connection.execute(query)]
            yield from found
            if len(found) < _AT_ONCE:
                return
            last = found[-1].row

    def kinds(self) -> list[str]:
        """What has been done at all, in order of the alphabet."""
        with self._store.reading() as connection:
            return list(connection.execute(select(AUDIT.c.what).distinct().order_by(AUDIT.c.what)).scalars())

    def verify(self) -> AuditReport:
        """Checks every row against its hash, the numbers for gaps, and the end against the head.

        After a row that does not agree the check goes on from the hash that is stored.
        """
        problems: list[str] = []
        prior, last = GENESIS, 0
        with self._store.reading() as connection:
            head = connection.execute(select(AUDIT_HEAD)).first()
            last, prior = _check(connection, problems)
        if head is None:
            problems += ["the head is gone"] if last else []
        elif (head.row, head.hash) != (last, prior):
            problems.append(f"row {last} is the last, where row {head.row} should be: rows are missing at the end")
        return AuditReport(last, tuple(problems))


def content_of(fields: tuple[int | str, ...]) -> bytes:
    """The canonical bytes of a row: no two rows that differ have the same.

    Args:
        fields: row, at_us, who, what, about, before, after, reason.
    """
    return json.dumps(list(fields), separators=(",", ":"), ensure_ascii=False).encode()


def _check(connection: Connection, problems: list[str]) -> tuple[int, bytes]:
    """Walks the chain; gives the last row's number and hash."""
    prior, last = GENESIS, 0
    for found in connection.execution_options(yield_per=_AT_ONCE).execute(select(AUDIT).order_by(AUDIT.c.row)):
        fields = tuple(found)[:-1]
        if found.row != last + 1:
            problems.append(f"row {last + 1} is missing")
        elif link(prior, content_of(fields)) != found.hash:
            problems.append(f"row {found.row} is not as it was written")
        last, prior = found.row, found.hash
    return last, prior


def _chosen(chosen: AuditFilter) -> Select[Any]:
    query = select(AUDIT)
    if chosen.who:
        query = query.where(AUDIT.c.who == chosen.who)
    if chosen.what.endswith("."):
        query = query.where(AUDIT.c.what.startswith(chosen.what, autoescape=True))
    elif chosen.what:
        query = query.where(AUDIT.c.what == chosen.what)
    if chosen.from_us:
        query = query.where(AUDIT.c.at_us >= chosen.from_us)
    if chosen.to_us:
        query = query.where(AUDIT.c.at_us < chosen.to_us)
    if chosen.words:
        said = (AUDIT.c.who, AUDIT.c.what, AUDIT.c.about, AUDIT.c.reason)
        anywhere = [each.icontains(chosen.words, autoescape=True) for each in said]
        query = query.where(anywhere[0] | anywhere[1] | anywhere[2] | anywhere[3])
    return query


def _row(found: Row[Any]) -> AuditRow:
    return AuditRow(**found._mapping)  # noqa: SLF001 - the public name of a row as a mapping


def _clean(words: str) -> str:
    """Without characters that no database or JSON can carry, and no longer than a page shows."""
    return words.encode("utf-8", "replace").decode()[:_MOST_WORDS]


def _json(value: Any) -> str:
    return (
        json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, sort_keys=True)
        .encode("utf-8", "replace")
        .decode()
    )
