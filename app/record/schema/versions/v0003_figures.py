"""What charts are drawn from: parts counted by five minutes, terms, lot, cause and latency.

The counts follow from the table of parts and, for parts that were rejected for another reason than a defect, from their
outcomes; so an older ledger is counted at once, and the chain stays as it is.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ARCHIVE = "archive"
_STRETCH_US = 300_000_000
_BINS_PER_DOUBLING = 8
_FIRST_BIN_US = 10.0
_LABEL = re.compile(r"(?P<label>.+?) \d\.\d\d at ", re.DOTALL)
_CHUNK = 5_000
_PLACE = f"lane, trigger_us / {_STRETCH_US} * {_STRETCH_US}, coalesce(terms, 0), coalesce(lot, '')"
_TALLY = f"""
    INSERT INTO tallies (lane, stretch_us, terms, lot, triggers, passed, rejected, lost, flagged)
    SELECT {_PLACE}, count(*), sum(outcome IS 'PASSED'), sum(outcome IS 'REJECTED'), sum(outcome IS 'LOST'),
        sum(is_flagged) FROM parts WHERE trigger_us IS NOT NULL GROUP BY 1, 2, 3, 4"""  # noqa: S608 - numbers of our own
_LATENCY = f"""
    INSERT INTO latencies (lane, stretch_us, terms, lot, bin, parts)
    SELECT {_PLACE}, takt_bin(total_us), count(*) FROM parts
    WHERE trigger_us IS NOT NULL AND outcome IS NOT NULL AND total_us IS NOT NULL GROUP BY 1, 2, 3, 4, 5"""  # noqa: S608 - numbers of our own
_CAUSE = f"""
    INSERT INTO causes (lane, stretch_us, terms, lot, cause, parts)
    SELECT {_PLACE}, takt_cause(coalesce(known.reason, ''), coalesce(reasons, ''), coalesce(text, '')), count(*)
    FROM parts LEFT JOIN temp.reasons_known AS known USING (lane, epoch, part_id)
    WHERE trigger_us IS NOT NULL AND outcome IS 'REJECTED' GROUP BY 1, 2, 3, 4, 5"""  # noqa: S608 - numbers of our own
_OUTCOMES = "SELECT lane, epoch, part_id, data FROM events WHERE kind = 'OUTCOME'"


def upgrade() -> None:
    """Makes the tables and fills them."""
    _create()
    connection = op.get_bind()
    driver: Any = connection.connection.driver_connection
    driver.create_function("takt_bin", 1, _bin, deterministic=True)
    driver.create_function("takt_cause", 3, _cause, deterministic=True)
    connection.exec_driver_sql(
        "CREATE TEMP TABLE reasons_known (lane, epoch, part_id, reason, PRIMARY KEY (lane, epoch, part_id))"
    )
    for chunk in _outcomes(connection):
        connection.exec_driver_sql("INSERT OR IGNORE INTO temp.reasons_known VALUES (?, ?, ?, ?)", chunk)
    for statement in (_TALLY, _LATENCY, _CAUSE):
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql("DROP TABLE temp.reasons_known")


def _create() -> None:
    key = ("lane", "stretch_us", "terms")
    for name, more, counted in (
        ("tallies", [], ("triggers", "passed", "rejected", "lost", "flagged")),
        ("causes", [sa.Column("cause", sa.Text, nullable=False)], ("parts",)),
        ("latencies", _integers("bin"), ("parts",)),
    ):
        op.create_table(
            name,
            *_integers(*key),
            sa.Column("lot", sa.Text, nullable=False),
            *more,
            *_integers(*counted),
            sa.PrimaryKeyConstraint(*key, "lot", *(each.name for each in more)),
            sqlite_with_rowid=False,
        )
        op.create_index(f"ix_{name}_lot", name, ["lot"])


def _integers(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Integer, nullable=False, autoincrement=False) for name in names]


def _outcomes(connection: sa.Connection) -> Iterator[list[tuple[int, int, int, str]]]:
    """The reasons of rejected parts, as their outcomes name them; those of the archive first."""
    file = Path(str(connection.exec_driver_sql("PRAGMA database_list").all()[0][2]))
    names = connection.exec_driver_sql("SELECT archive FROM segments WHERE archive <> '' ORDER BY lane, number").all()
    for (name,) in names:
        path = file.parent / _ARCHIVE / Path(name).name
        # Of a segment that was taken away the reasons are unknown; `takt ledger verify` names it.
        if path.exists():
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as archived:
                yield from _rejected(archived.execute(_OUTCOMES))
    yield from _rejected(connection.exec_driver_sql(_OUTCOMES))


def _rejected(cursor: Any) -> Iterator[list[tuple[int, int, int, str]]]:
    while chunk := cursor.fetchmany(_CHUNK):
        rows = []
        for lane, epoch, part_id, data in chunk:
            if '"REJECTED"' not in data or part_id is None:
                continue
            said = json.loads(data)
            of_epoch = said.get("of_epoch")
            rows.append((lane, of_epoch or epoch, part_id, str(said.get("reason") or "")))
        if rows:
            yield rows


def _bin(total_us: float) -> int:
    if total_us <= _FIRST_BIN_US:
        return 0
    return math.ceil(_BINS_PER_DOUBLING * math.log2(total_us / _FIRST_BIN_US))


def _cause(reason: str, reasons: str, text: str) -> str:
    match = _LABEL.match(text) if reasons.partition(" ")[0] == "DEFECT" else None
    if match and reason in ("", "DEFECT"):
        return match["label"]
    return reason or "UNEXPECTED_REJECT"
