"""The audit trail for others: for a spreadsheet, as JSON lines, and as a page or a terminal shows it. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.record.walltime import moment
from app.web.access.audit import AuditRow

_FIELDS = ("row", "time", "who", "what", "about", "before", "after", "reason", "hash")
_RISKY = ("=", "+", "-", "@", "\t", "\r")


def csv_lines(rows: Iterator[AuditRow]) -> Iterator[str]:
    """The rows for a spreadsheet, with a head."""
    yield _csv(_FIELDS)
    for row in rows:
        yield _csv(
            (
                row.row,
                moment(row.at_us).isoformat(),
                *(_harmless(each) for each in (row.who, row.what, row.about, row.before, row.after, row.reason)),
                row.hash.hex(),
            )
        )


def json_lines(rows: Iterator[AuditRow]) -> Iterator[str]:
    """The rows, one JSON object a line."""
    for row in rows:
        yield json.dumps(plain(row), ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row as a page shows it.

    Attributes:
        row: Its number.
        time: When, to the second, UTC.
        who: Who did it.
        what: What was done.
        about: To what.
        before: What it was, in words; empty: nothing.
        after: What it was from then on.
        reason: Why.
    """

    row: int
    time: str
    who: str
    what: str
    about: str
    before: str
    after: str
    reason: str


def shown(row: AuditRow) -> ShownRow:
    """A row as a page shows it."""
    time = moment(row.at_us).strftime("%Y-%m-%d %H:%M:%S")
    before, after = _words(row.before), _words(row.after)
    return ShownRow(row.row, time, row.who, row.what, row.about, before, after, row.reason)


def _words(said: str) -> str:
    """A JSON value in words: an object as its keys and values."""
    value = json.loads(said)
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {each if isinstance(each, str) else json.dumps(each)}" for key, each in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def plain(row: AuditRow) -> dict[str, Any]:
    """A row as JSON says it."""
    return {
        "row": row.row,
        "at_us": row.at_us,
        "who": row.who,
        "what": row.what,
        "about": row.about,
        "before": json.loads(row.before),
        "after": json.loads(row.after),
        "reason": row.reason,
        "hash": row.hash.hex(),
    }


def _csv(fields: tuple[object, ...]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(fields)
    return line.getvalue()


def _harmless(words: str) -> str:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{words}" if words.startswith(_RISKY) else words
