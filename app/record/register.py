"""The register of pictures: which lie on the disk, which were there once, and why they are gone."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from app.errors import RecordError
from app.record.ledger import Ledger
from app.record.pictures import PictureKind, Shot, Stored, remove_drafts, shot_of
from app.record.review import queue_samples
from app.record.tables import PARTS, PICTURES
from app.types import PASS

_NEWEST_FOLDERS = 2
_IS_KEPT = PICTURES.c.gone_us.is_(None)


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture on the disk, as the register knows it.

    Attributes:
        number: Its row.
        kind: Why it is kept.
        file: Its path below the folder of pictures.
        size: Bytes.
        taken_us: When it was judged, in microseconds since 1970 UTC.
    """

    number: int
    kind: PictureKind
    file: str
    size: int
    taken_us: int


@dataclass(frozen=True, slots=True)
class Drop:
    """A picture that is to go, and why.

    Attributes:
        picture: The picture.
        why: The rule, in words.
    """

    picture: Kept
    why: str


class Register:
    """What the ledger's file knows of pictures.

    Args:
        ledger: The ledger.
        folder: The folder of pictures.
    """

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        self._ledger = ledger
        self._folder = folder

    def note(self, pictures: Iterable[Stored]) -> None:
        """Enters pictures that lie on the disk.

        Raises:
            RecordError: None was entered.
        """
        rows = [_as_row(each) for each in pictures]
        if rows:
            with self._ledger.transaction() as connection:
                _enter(connection, rows)

    def adopt(self) -> int:
        """Enters pictures that were written and not entered, because the recorder died in between.

        Returns:
            How many there were; only the newest days can have any.

        Raises:
            RecordError: They cannot be read or entered.
        """
        try:
            days = sorted(each for each in self._folder.iterdir() if each.is_dir())[-_NEWEST_FOLDERS:]
            for day in days:
                remove_drafts(day)
            files = [path for day in days for path in day.iterdir()]
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise RecordError(f"{self._folder} cannot be read: {error.strerror}", "check its owner") from error
        with self._ledger.transaction() as connection:
            unknown = _unknown(connection, self._folder, files)
            found = [(path, shot) for path in unknown if (shot := shot_of(path)) is not None]
            rows = [_as_row(_stored(connection, self._folder, path, shot)) for path, shot in found]
            if rows:
                _enter(connection, rows)
        return len(rows)

    def size(self) -> int:
        """Bytes of all pictures on the disk.

        Raises:
            RecordError: The register cannot be read.
        """
        with self._ledger.transaction() as connection:
            total = select(func.coalesce(func.sum(PICTURES.c.bytes), 0)).where(_IS_KEPT)
            return int(connection.execute(total).scalar_one())

    def oldest(self, kinds: Collection[PictureKind], most: int) -> list[Kept]:
        """The oldest pictures of some kinds, oldest first.

        Raises:
            RecordError: The register cannot be read.
        """
        found: list[Kept] = []
        with self._ledger.transaction() as connection:
            for kind in kinds:
                of_kind = select(PICTURES).where(_IS_KEPT & (PICTURES.c.kind == kind.value))
                rows = connection.execute(of_kind.order_by(PICTURES.c.taken_us).limit(most))
                found += [_as_kept(row) for row in rows]
        return sorted(found, key=lambda each: each.taken_us)[:most]

    def remove(self, drops: Collection[Drop], wall_us: int) -> None:
        """Deletes pictures and notes when and why.

        The file goes first: a picture that is entered and gone is deleted once more, one that lies there unknown
        would stay for ever.

        Raises:
            RecordError: A file cannot be deleted, or the register cannot be written.
        """
        for drop in drops:
            path = self._folder / drop.picture.file
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise RecordError(f"{path} cannot be deleted: {error.strerror}", "check the folder's owner") from error
        rows = [{"number": each.picture.number, "wall_us": wall_us, "why": each.why} for each in drops]
        if rows:
            statement = update(PICTURES).where(PICTURES.c.id == bindparam("number"))
            with self._ledger.transaction() as connection:
                connection.execute(statement.values(gone_us=bindparam("wall_us"), gone_why=bindparam("why")), rows)
        for day in {(self._folder / each.picture.file).parent for each in drops}:
            # A day that still has pictures stays.
            with suppress(OSError):
                day.rmdir()


def _enter(connection: Connection, rows: list[dict[str, Any]]) -> None:
    connection.execute(upsert(PICTURES).on_conflict_do_nothing(), rows)
    samples = [each for each in rows if each["kind"] == PictureKind.PASS.value]
    queue_samples(connection, [{name: each[name] for name in ("lane", "epoch", "part_id")} for each in samples])


def _as_row(picture: Stored) -> dict[str, Any]:
    shot = picture.shot
    return {
        "lane": shot.lane,
        "epoch": shot.epoch,
        "part_id": shot.part_id,
        "camera": shot.camera,
        "exposure": shot.exposure,
        "kind": picture.kind.value,
        "file": picture.file,
        "bytes": picture.size,
        "sha256": picture.sha256,
        "taken_us": shot.wall_us,
    }


def _as_kept(row: Row[Any]) -> Kept:
    return Kept(row.id, PictureKind(row.kind), row.file, row.bytes, row.taken_us)


def _unknown(connection: Connection, folder: Path, files: list[Path]) -> list[Path]:
    return [
        path
        for path in files
        if connection.execute(select(PICTURES.c.id).where(PICTURES.c.file == _below(folder, path))).first() is None
    ]


def _below(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _stored(connection: Connection, folder: Path, path: Path, shot: Shot) -> Stored:
    key = (PARTS.c.lane == shot.lane) & (PARTS.c.epoch == shot.epoch) & (PARTS.c.part_id == shot.part_id)
    part = connection.execute(select(PARTS.c.verdict, PARTS.c.is_flagged).where(key)).first()
    kind = PictureKind.REJECT
    if part is not None and part.verdict == PASS:
        kind = PictureKind.FLAGGED if part.is_flagged else PictureKind.PASS
    content = path.read_bytes()
    return Stored(shot, kind, _below(folder, path), len(content), hashlib.sha256(content).hexdigest())
