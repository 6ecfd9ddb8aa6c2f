"""The chain that makes the ledger's rows evidence: each row's hash covers its content and the hash before it. Pure.

    hash(row)     = SHA-256(hash before || lane|row|epoch|sequence|at_ns|wall_us|part_id|count|kind|data)
    seal(segment) = SHA-256("seal|" lane|number|first_row|last_row|rows|opened_us|sealed_us| || prior || head)

All numbers are decimal, an absent part is `None`, `data` is the JSON text as it is stored, byte for byte. The chain of
a lane starts from 32 zero bytes; the first row of every later segment continues the seal of the one before (`prior`),
so that the seals are links too. Hash chain after Haber and Stornetta, "How to time-stamp a digital document" (1991).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

GENESIS = bytes(32)

RowFields = tuple[Any, ...]
"""row, epoch, sequence, at_ns, wall_us, part_id, count, kind, data, hash as they are stored, kind and data as bytes."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one lane's rows.

    Attributes:
        lane: The lane.
        number: 1, 2, ... without gaps.
        first_row: Its first row; rows of a lane count from 1 through all segments.
        prior: What its first row's hash continues: the seal of the segment before, or GENESIS.
        opened_us: Wall time at which it was begun, in microseconds since 1970 UTC.
        last_row: Its last row; `None` while it is open, as are all that follow.
        rows: How many rows it has.
        head: The hash of its last row.
        sealed_us: Wall time at which it was sealed.
        seal: The hash over all of the above.
        archive: File name in the archive folder; empty while its rows lie in the ledger itself.
    """

    lane: int
    number: int
    first_row: int
    prior: bytes
    opened_us: int
    last_row: int | None = None
    rows: int | None = None
    head: bytes | None = None
    sealed_us: int | None = None
    seal: bytes | None = None
    archive: str = ""

    @property
    def is_sealed(self) -> bool:
        """No row may be added any more."""
        return self.seal is not None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the ledger that is not as it was recorded.

    Attributes:
        lane: The lane.
        segment: The segment's number; 0 where it concerns none.
        row: The row; `None` where it concerns none.
        what: What is wrong, in words.
    """

    lane: int
    segment: int
    row: int | None
    what: str

    def __str__(self) -> str:
        places = [f"lane {self.lane}"]
        places += [f"segment {self.segment}"] if self.segment else []
        places += [f"row {self.row}"] if self.row is not None else []
        return f"{', '.join(places)}: {self.what}"


def content_of(lane: int, fields: RowFields) -> bytes:
    """The canonical bytes of a row: no two rows that differ in any field have the same.

    Args:
        lane: The lane.
        fields: The row as it is stored; its hash, if it is there, is passed over.
    """
    row, epoch, sequence, at_ns, wall_us, part_id, count, kind, data = fields[:9]
    head = f"{lane}|{row}|{epoch}|{sequence}|{at_ns}|{wall_us}|{part_id}|{count}|"
    return b"%b%b|%b" % (head.encode(), kind, data)


def link(prior: bytes, content: bytes) -> bytes:
    """The hash of a row: 32 bytes over the hash before it and its content."""
    return hashlib.sha256(prior + content).digest()


def seal_of(segment: Segment) -> bytes:
    """The hash over a segment's record, its head and what it continues."""
    fields = (
        segment.lane,
        segment.number,
        segment.first_row,
        segment.last_row,
        segment.rows,
        segment.opened_us,
        segment.sealed_us,
    )
    text = "seal|" + "|".join(str(each) for each in fields) + "|"
    return hashlib.sha256(text.encode() + segment.prior + (segment.head or b"")).digest()


class SegmentCheck:
    """Follows the rows of one segment and names each that is not as it was recorded.

    After a row that does not agree with its hash the check goes on from either of the two, so that one flipped byte is
    one problem, whether it lies in the content or in the hash.

    Args:
        segment: Its record.
    """

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._links: tuple[bytes, ...] = (segment.prior,)
        self.next_row = segment.first_row
        """The row that must come next."""

    def take(self, rows: Iterable[RowFields]) -> list[Problem]:
        """Checks the rows that follow those taken before, in the order of their numbers."""
        problems: list[Problem] = []
        for fields in rows:
            row = fields[0]
            if row != self.next_row:
                problems.append(self._misplaced(row))
                if type(row) is not int or row < self.next_row:
                    continue
            if not self._agrees(fields):
                problems.append(self._problem(row, "it is not as it was recorded: content and hash do not agree"))
            self.next_row = row + 1
        return problems

    def finish(self, head_row: int, head: bytes | None) -> list[Problem]:
        """Compares the end with what is recorded of it.

        Args:
            head_row: The segment's last row, by its record or by the lane's head.
            head: The hash of that row, by the same.
        """
        if self.next_row <= head_row:
            return [self._missing(head_row)]
        if self.next_row > head_row + 1:
            return [self._problem(head_row + 1, "it was added after the end that is recorded")]
        is_empty = self.next_row == self._segment.first_row
        if self._links and head not in self._links and not is_empty:
            return [self._problem(head_row, "the recorded end of the chain is not its hash")]
        return []

    def finish_seal(self) -> list[Problem]:
        """Compares a sealed segment's record with its rows and its seal."""
        segment = self._segment
        last_row, rows = segment.last_row, segment.rows
        if type(last_row) is not int or type(rows) is not int:
            return [self._problem(None, "its seal is damaged: it does not say how far it goes")]
        problems = self.finish(last_row, segment.head)
        if rows != last_row - segment.first_row + 1 or segment.seal != seal_of(segment):
            problems.append(self._problem(None, "its seal does not agree with its record: one of the two was changed"))
        return problems

    def _agrees(self, fields: RowFields) -> bool:
        stored = fields[9]
        try:
            content = content_of(self._segment.lane, fields)
        except TypeError:
            self._links = (stored,) if isinstance(stored, bytes) else ()
            return False
        hashes = [link(prior, content) for prior in self._links]
        if stored in hashes or not hashes:
            self._links = (stored,)
            return True
        self._links = (hashes[0], stored) if isinstance(stored, bytes) else (hashes[0],)
        return False

    def _misplaced(self, row: Any) -> Problem:
        if type(row) is not int or row < self.next_row:
            return self._problem(self.next_row, f"a row numbered {row!r} stands before it, which was never recorded")
        # What came before is gone, so nothing is known that the next hash could be held against.
        self._links = ()
        return self._missing(row - 1)

    def _missing(self, last: int) -> Problem:
        first = self.next_row
        return self._problem(first, "it is missing" if first == last else f"it and all up to row {last} are missing")

    def _problem(self, row: int | None, what: str) -> Problem:
        return Problem(self._segment.lane, self._segment.number, row, what)
