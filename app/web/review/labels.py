"""The labels of parts: optimistic versions, the second reviewer's agreement, and every change in the audit trail.

Each person has one label per part; the newest stands. A change names the version that its author saw, so that nobody
overrides what they have not seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, Select, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from app.clock import Clock
from app.record.keys import PartKey, in_groups
from app.record.walltime import micros
from app.web.access.audit import Audit
from app.web.access.refusals import RefusedError
from app.web.review.label import Change, LabelBox, LabelFilter, LabelKind, PartLabel, PartLabels, Said
from app.web.store.database import Store
from app.web.store.reviews import LABEL_CHANGES, LABELLED

_AT_ONCE = 200


class LabelConflictError(RefusedError):
    """Somebody else has labelled the part meanwhile."""

    def __init__(self, key: PartKey, by: str) -> None:
        super().__init__(
            409,
            f"{by or 'somebody'} has changed the labels of part {'/'.join(map(str, key))} meanwhile",
            "look at what they say, and label it again if you still want to",
        )


class Labels:
    """The labels of a box.

    Args:
        store: Where they are kept.
        audit: Where every change is told.
        clock: For their times.
    """

    def __init__(self, store: Store, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    def of(self, keys: Iterable[PartKey]) -> dict[PartKey, PartLabel]:
        """What stands of some parts; those without a label are left out.

        Raises:
            RecordError: The store cannot be read; so do all calls below.
        """
        found: dict[PartKey, PartLabel] = {}
        with self._store.reading() as connection:
            for of_parts in in_groups(LABELLED.c, keys):
                for row in connection.execute(select(LABELLED).where(of_parts & (LABELLED.c.kind != ""))):
                    label = _label(row, agrees=row.agrees)
                    found[label.key] = label
        return found

    def all(self, chosen: LabelFilter | None = None) -> Iterator[PartLabel]:
        """What stands of every labelled part, by lane, epoch and number; memory stays flat."""
        query = _chosen(chosen or LabelFilter()).order_by(LABELLED.c.lane, LABELLED.c.epoch, LABELLED.c.part_id)
        last: PartKey = (-1, -1, -1)
        while True:
            after = tuple_(LABELLED.c.lane, LABELLED.c.epoch, LABELLED.c.part_id) > last
            with self._store.reading() as connection:
                rows = connection.execute(query.where(after).limit(_AT_ONCE)).all()
            for row in rows:
                yield _label(row, agrees=row.agrees)
            if len(rows) < _AT_ONCE:
                return
            last = (rows[-1].lane, rows[-1].epoch, rows[-1].part_id)

    def part(self, key: PartKey) -> PartLabels:
        """Everything that people say of one part."""
        with self._store.reading() as connection:
            return _part(connection, key)

    def say(self, key: PartKey, by: str, said: Said, seen: int, reason: str = "") -> PartLabels:
        """Gives a part a label, in place of the one that the same person gave it before.

        Args:
            key: The part.
            by: Who says so.
            said: What.
            seen: The version of the part's labels that they saw.
            reason: Why.

        Returns:
            Everything that people say of it now.

        Raises:
            LabelConflictError: There is a newer version.
        """
        return self._change(key, by, said, seen, reason).after

    def take_back(self, key: PartKey, by: str, seen: int, reason: str = "") -> PartLabels:
        """Takes a person's label of a part away; where there is none, nothing changes.

        Raises:
            LabelConflictError: There is a newer version.
        """
        return self._change(key, by, None, seen, reason).after

    def say_of_many(
        self, parts: Sequence[tuple[PartKey, int]], by: str, said: Said | None, reason: str = ""
    ) -> tuple[dict[PartKey, Change], list[PartKey]]:
        """Gives many parts the same label, or takes it back from them, in one transaction. Boxes stay as they are.

        Args:
            parts: Each part and the version of its labels that was seen.
            by: Who says so.
            said: What; `None` takes it back.
            reason: Why.

        Returns:
            What was changed, by part, and the parts that somebody else has labelled meanwhile, which stay as they are.
        """
        done: dict[PartKey, Change] = {}
        refused: list[PartKey] = []
        with self._store.writing():
            for key, seen in parts:
                try:
                    done[key] = self._change(key, by, said, seen, reason, keeps_boxes=True)
                except LabelConflictError:
                    refused.append(key)
        return done, refused

    def _change(
        self, key: PartKey, by: str, said: Said | None, seen: int, reason: str, *, keeps_boxes: bool = False
    ) -> Change:
        with self._store.writing() as connection:
            before = _part(connection, key)
            if before.version != seen:
                raise LabelConflictError(key, _last_author(connection, key))
            mine = next((each for each in before.labels if each.by == by), None)
            if said is None and mine is None:
                return Change(None, before)
            if said is not None and mine is not None and keeps_boxes:
                said = replace(said, boxes=mine.boxes)
            connection.execute(
                LABEL_CHANGES.insert().values(
                    **_key_values(key),
                    version=before.version + 1,
                    by=by,
                    at_us=micros(self._clock.wall()),
                    kind=said.kind.value if said else "",
                    class_name=said.class_name if said else "",
                    boxes=_json(said.boxes) if said else None,
                )
            )
            after = _part(connection, key)
            _write_standing(connection, key, by, after)
            self._audit.write(by, "review.label", "/".join(map(str, key)), _told(mine), _told(said), reason)
        return Change(mine, after)


def _part(connection: Connection, key: PartKey) -> PartLabels:
    query = select(LABEL_CHANGES).where(_is_part(LABEL_CHANGES.c, key)).order_by(LABEL_CHANGES.c.version.desc())
    rows = connection.execute(query).all()
    newest: dict[str, Row[Any]] = {}
    for row in rows:
        newest.setdefault(row.by, row)
    labels = [_label(row) for row in newest.values() if row.kind]
    agrees = len({(each.kind, each.class_name) for each in labels}) == 1 if len(labels) > 1 else None
    return PartLabels(rows[0].version if rows else 0, tuple(replace(each, agrees=agrees) for each in labels))


def _write_standing(connection: Connection, key: PartKey, by: str, after: PartLabels) -> None:
    label = after.standing
    values: dict[str, Any] = {
        "kind": label.kind.value if label else "",
        "class_name": label.class_name if label else "",
        "boxes": _json(label.boxes) if label else None,
        "by": label.by if label else by,
        "at_us": label.at_us if label else 0,
        "version": after.version,
        "agrees": None if label is None or label.agrees is None else int(label.agrees),
    }
    statement = insert(LABELLED).values(**_key_values(key), **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["lane", "epoch", "part_id"], set_=values))


def _last_author(connection: Connection, key: PartKey) -> str:
    query = select(LABEL_CHANGES.c.by).where(_is_part(LABEL_CHANGES.c, key))
    return str(connection.execute(query.order_by(LABEL_CHANGES.c.version.desc()).limit(1)).scalar() or "")


def _chosen(chosen: LabelFilter) -> Select[Any]:
    query = select(LABELLED).where(LABELLED.c.kind != "")
    if chosen.kinds:
        query = query.where(LABELLED.c.kind.in_([each.value for each in chosen.kinds]))
    if chosen.lane is not None:
        query = query.where(LABELLED.c.lane == chosen.lane)
    if chosen.from_us:
        query = query.where(LABELLED.c.at_us >= chosen.from_us)
    if chosen.to_us:
        query = query.where(LABELLED.c.at_us < chosen.to_us)
    return query


def _is_part(columns: Any, key: PartKey) -> Any:
    lane, epoch, part_id = key
    return (columns.lane == lane) & (columns.epoch == epoch) & (columns.part_id == part_id)


def _key_values(key: PartKey) -> Mapping[str, int]:
    return dict(zip(("lane", "epoch", "part_id"), key, strict=True))


def _label(row: Row[Any], agrees: int | None = None) -> PartLabel:
    boxes = None if row.boxes is None else tuple(LabelBox(*each) for each in json.loads(row.boxes))
    return PartLabel(
        lane=row.lane,
        epoch=row.epoch,
        part_id=row.part_id,
        kind=LabelKind(row.kind),
        class_name=row.class_name,
        boxes=boxes,
        by=row.by,
        at_us=row.at_us,
        version=row.version,
        agrees=None if agrees is None else bool(agrees),
    )


def _json(boxes: tuple[LabelBox, ...] | None) -> str | None:
    if boxes is None:
        return None
    rows = [[each.camera, each.exposure, each.class_name, each.x, each.y, each.width, each.height] for each in boxes]
    return json.dumps(rows, separators=(",", ":"), allow_nan=False)


def _told(said: Said | PartLabel | None) -> dict[str, Any] | None:
    """A label as the audit trail tells it."""
    if said is None:
        return None
    boxes = None if said.boxes is None else json.loads(_json(said.boxes) or "[]")
    return {"kind": said.kind.value, "class": said.class_name, "boxes": boxes}


__all__ = [
    "LabelBox",
    "LabelConflictError",
    "LabelFilter",
    "LabelKind",
    "Labels",
    "PartKey",
    "PartLabel",
    "PartLabels",
    "Said",
]
