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
class Change:
    """One thing that a row changed.

    Attributes:
        key: What, as the record calls it; empty: the row is about nothing else.
        before: What it was, in words; empty: nothing.
        after: What it was from then on.
    """

    key: str
    before: str
    after: str


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
        changes: What is different now, each by itself.
        raw: The same as the record holds it, in JSON; empty where nothing changed.
        reason: Why.
    """

    row: int
    time: str
    who: str
    what: str
    about: str
    before: str
    after: str
    changes: tuple[Change, ...]
    raw: str
    reason: str


def shown(row: AuditRow) -> ShownRow:
    """A row as a page shows it."""
    time = moment(row.at_us).strftime("%Y-%m-%d %H:%M:%S")
    before, after = json.loads(row.before), json.loads(row.after)
    raw = "" if before is None and after is None else f"{row.before} -> {row.after}"
    named = (row.row, time, row.who, row.what, row.about, _words(before), _words(after))
    return ShownRow(*named, tuple(_changes(before, after)), raw, row.reason)


def _changes(before: Any, after: Any) -> Iterator[Change]:
    """What is in either of two values of a row, an object key by key; what both have alike is no change."""
    old, new = (each if isinstance(each, dict) else {} if each is None else {"": each} for each in (before, after))
    for key in dict.fromkeys((*old, *new)):
        if key not in old or key not in new or old[key] != new[key]:
            yield Change(key, _words(old.get(key)), _words(new.get(key)))


def _words(value: Any) -> str:
    """A value of JSON in words."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_words(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(_words(each) for each in value)
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
