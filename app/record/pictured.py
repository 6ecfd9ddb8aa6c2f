"""The parts whose pictures are kept: what can be judged once more. Cannot write."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select

from app.record.database import FILE
from app.record.keys import PartKey
from app.record.open_files import OpenFiles
from app.record.tables import PARTS, PICTURES, TERMS


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which parts; what is `None` excludes none.

    Attributes:
        lane: Of this lane.
        lot: Of this lot.
        since_us: Triggered at this moment or later, in microseconds since 1970 UTC.
        until_us: Triggered before this moment.
    """

    lane: int | None = None
    lot: str | None = None
    since_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class PicturedPart:
    """A part of which at least one picture is on the disk.

    Attributes:
        key: The part.
        lot: Its lot.
        package_sha256: Hash of the model that judged it; empty where no event said so.
    """

    key: PartKey
    lot: str
    package_sha256: str


def pictured_parts(folder: Path, wanted: Wanted) -> list[PicturedPart]:
    """The parts that have a verdict and a kept picture, newest first.

    Args:
        folder: The ledger's folder; a ledger that is not there yet reads as an empty one.
        wanted: Which parts.

    Raises:
        RecordError: The ledger cannot be read.
    """
    with (
        closing(OpenFiles()) as files,
        files.reading_if_made(folder / FILE, "parts", "pictures", "terms") as connection,
    ):
        rows = [] if connection is None else connection.execute(_query(wanted)).all()
    return [PicturedPart((row.lane, row.epoch, row.part_id), row.lot, row.sha256) for row in rows]


def _query(wanted: Wanted) -> Any:
    # From the pictures to their parts: of those there are few, and of parts there may be millions.
    place = (PICTURES.c.lane, PICTURES.c.epoch, PICTURES.c.part_id)
    kept = select(*place).where(PICTURES.c.gone_us.is_(None)).distinct().subquery()
    part = and_(*(kept.c[name] == PARTS.c[name] for name in ("lane", "epoch", "part_id")))
    terms = and_(TERMS.c.lane == PARTS.c.lane, TERMS.c.row == PARTS.c.terms)
    sha256 = func.coalesce(TERMS.c.package_sha256, "").label("sha256")
    columns = (PARTS.c.lane, PARTS.c.epoch, PARTS.c.part_id, func.coalesce(PARTS.c.lot, "").label("lot"), sha256)
    query = select(*columns).select_from(kept.join(PARTS, part).outerjoin(TERMS, terms))
    query = query.where(PARTS.c.verdict.is_not(None), *_chosen(wanted))
    return query.order_by(PARTS.c.trigger_us.desc(), PARTS.c.lane, PARTS.c.epoch.desc(), PARTS.c.part_id.desc())


def _chosen(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions = [] if wanted.lane is None else [PARTS.c.lane == wanted.lane]
    conditions += [] if wanted.lot is None else [PARTS.c.lot == wanted.lot]
    conditions += [] if wanted.since_us is None else [PARTS.c.trigger_us >= wanted.since_us]
    conditions += [] if wanted.until_us is None else [PARTS.c.trigger_us < wanted.until_us]
    return conditions
