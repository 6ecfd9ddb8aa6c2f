"""What reviewers read: under what terms each part was judged, what was found on it, and the queue.

All of it follows from the events, so an older ledger is filled by reading those again; the chain stays as it is.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ARCHIVE = "archive"
_CHUNK = 5_000
_SAID = ("package", "package_sha256", "recipe", "recipe_sha256", "line_sha256", "runtime", "version")
_READ = "SELECT lane, row, epoch, part_id, wall_us, kind, data FROM events WHERE kind IN ('STARTED', 'JUDGED')"
_FIND = (
    "INSERT INTO found (lane, epoch, part_id, label, score) VALUES (:lane, :epoch, :part_id, :label, :score)"
    " ON CONFLICT DO UPDATE SET score = max(score, excluded.score)"
)
_QUEUE = """
    INSERT INTO queue (at_us, lane, epoch, part_id, why, reasons, lot, terms, labels, top_score)
    SELECT trigger_us, lane, epoch, part_id, {why}, coalesce(reasons, ''), coalesce(lot, ''), terms,
        coalesce((SELECT char(10) || group_concat(label, char(10)) || char(10) FROM found
            WHERE (found.lane, found.epoch, found.part_id) = (parts.lane, parts.epoch, parts.part_id)), ''),
        (SELECT max(score) FROM found
            WHERE (found.lane, found.epoch, found.part_id) = (parts.lane, parts.epoch, parts.part_id))
    FROM parts WHERE trigger_us IS NOT NULL AND {which} ON CONFLICT DO NOTHING"""


def upgrade() -> None:
    """Makes the tables and fills them."""
    _create()
    connection = op.get_bind()
    for chunk in _chunks(connection):
        _take(connection, chunk)
    connection.execute(
        sa.text(
            "UPDATE parts SET terms = (SELECT max(row) FROM terms"
            " WHERE terms.lane = parts.lane AND terms.epoch = parts.epoch)"
        )
    )
    _fill_queue(connection)


def _create() -> None:
    op.create_table(
        "terms",
        *_integers("lane", "row", "epoch", "since_us"),
        *[sa.Column(name, sa.Text, nullable=True) for name in _SAID],
        sa.PrimaryKeyConstraint("lane", "row"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "found",
        *_integers("lane", "epoch", "part_id"),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("score", sa.REAL, nullable=False),
        sa.PrimaryKeyConstraint("lane", "epoch", "part_id", "label"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "queue",
        *_integers("at_us", "lane", "epoch", "part_id"),
        *[sa.Column(name, sa.Text, nullable=False) for name in ("why", "reasons", "lot")],
        sa.Column("terms", sa.Integer, nullable=True),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("top_score", sa.REAL, nullable=True),
        sa.PrimaryKeyConstraint("at_us", "lane", "epoch", "part_id"),
        sqlite_with_rowid=False,
    )
    op.add_column("parts", sa.Column("terms", sa.Integer, nullable=True))


def _integers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False, autoincrement=False) for name in names]


def _chunks(connection: sa.Connection) -> Iterator[list[Any]]:
    """The events that matter, those of the archive first."""
    file = Path(str(connection.exec_driver_sql("PRAGMA database_list").all()[0][2]))
    names = connection.exec_driver_sql("SELECT archive FROM segments WHERE archive <> '' ORDER BY lane, number").all()
    for (name,) in names:
        path = file.parent / _ARCHIVE / Path(name).name
        # A segment that was taken away leaves its parts without terms and finds; `takt ledger verify` names it.
        if path.exists():
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as archived:
                yield from _fetched(archived.execute(_READ))
    yield from _fetched(connection.exec_driver_sql(_READ))


def _fetched(cursor: Any) -> Iterator[list[Any]]:
    while chunk := cursor.fetchmany(_CHUNK):
        yield chunk


def _take(connection: sa.Connection, chunk: list[Any]) -> None:
    terms, found = [], []
    for lane, row, epoch, part_id, wall_us, kind, data in chunk:
        said = json.loads(data)
        if kind == "STARTED":
            texts = {name: None if said.get(name) is None else str(said[name]) for name in _SAID}
            terms.append({"lane": lane, "row": row, "epoch": epoch, "since_us": wall_us, **texts})
        elif part_id is not None:
            found += [
                {"lane": lane, "epoch": epoch, "part_id": part_id, "label": label, "score": score}
                for label, score in _scores(said.get("detections"))
            ]
    if terms:
        names = ", ".join(terms[0])
        values = ", ".join(f":{name}" for name in terms[0])
        connection.execute(sa.text(f"INSERT OR IGNORE INTO terms ({names}) VALUES ({values})"), terms)  # noqa: S608 - names of our own
    if found:
        connection.execute(sa.text(_FIND), found)


def _scores(detections: Any) -> Iterator[tuple[str, float]]:
    try:
        for label, score, *_ in json.loads(detections or "[]"):
            yield str(label).encode(errors="backslashreplace").decode(), float(score)
    except (TypeError, ValueError):
        # One that nobody can read tells nothing of the others.
        return


def _fill_queue(connection: sa.Connection) -> None:
    judged = "(verdict <> 'pass' OR route <> 'pass' OR is_flagged)"
    why = "CASE WHEN verdict <> 'pass' OR route <> 'pass' THEN 'reject' ELSE 'flagged' END"
    sampled = "(lane, epoch, part_id) IN (SELECT lane, epoch, part_id FROM pictures WHERE kind = 'pass')"
    connection.execute(sa.text(_QUEUE.format(why=why, which=judged)))
    connection.execute(sa.text(_QUEUE.format(why="'sample'", which=sampled)))
