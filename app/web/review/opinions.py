"""Second opinions: what other models would have said of the line's own parts. Written by whoever asks them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from app.record.keys import PartKey, in_groups
from app.types import PASS
from app.web.review.label import LabelKind
from app.web.store.database import Store
from app.web.store.opinions import OPINION_MODELS, OPINIONS
from app.web.store.reviews import LABELLED

MOST_MODELS = 8
"""Models whose opinions are kept; those that were asked longest ago go."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A model that was asked.

    Attributes:
        sha256: Hash of its file.
        package: Its package.
        version: That package's version.
        variant: Which of the package's models it is.
        runtime: What ran it.
        asked_us: When it was asked last, in microseconds since 1970 UTC.
        number: Its row in the store.
        parts: Parts that it has judged.
    """

    sha256: str
    package: str
    version: str
    variant: str
    runtime: str
    asked_us: int
    number: int = 0
    parts: int = 0


@dataclass(frozen=True, slots=True)
class OpinionBox:
    """Where a model would have found something.

    Attributes:
        camera: The camera.
        exposure: Which of the part's exposures.
        label: The class.
        score: 0 .. 1.
        box_px: x, y, width and height in pixels of the frame.
        kind: What it would have meant: `DEFECT`, `FLAGGED`, or empty.
    """

    camera: str
    exposure: int
    label: str
    score: float
    box_px: tuple[float, float, float, float]
    kind: str


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a model would have said of a part.

    Attributes:
        key: The part.
        lot: Its lot.
        said: Where the line's model sent it, by what it had found.
        would: Where this model would have sent it.
        label: The class of its highest score; empty where it found nothing.
        score: That score.
        boxes: Everything that it found.
        took_us: What it took, all exposures together, in microseconds.
        at_us: When it was asked, in microseconds since 1970 UTC.
    """

    key: PartKey
    lot: str
    said: str
    would: str
    label: str
    score: float | None
    boxes: tuple[OpinionBox, ...]
    took_us: int
    at_us: int

    @property
    def is_different(self) -> bool:
        """The part would have been sent elsewhere."""
        return self.said != self.would


@dataclass(frozen=True, slots=True)
class Weighed:
    """How often two models rejected the same parts, and how often they did not.

    Attributes:
        parts: Parts by where each of the two sent them: pass, or not; as (line rejects, other rejects).
        labelled: The same of parts with each label.
        elsewhere: Parts that both reject, to different gates.
        median_us: What half of the parts took less than; `None` where there are none.
    """

    parts: Mapping[tuple[bool, bool], int]
    labelled: Mapping[LabelKind, Mapping[tuple[bool, bool], int]]
    elsewhere: int
    median_us: int | None


class Opinions:
    """The opinions of a box.

    Args:
        store: Where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def ask(self, model: Asked) -> int:
        """Notes that a model is asked now, and lets go of the opinions of those that were asked longest ago.

        Returns:
            Its number.

        Raises:
            RecordError: The store cannot be used; so do all calls below.
        """
        said = {name: getattr(model, name) for name in ("package", "version", "variant", "runtime", "asked_us")}
        with self._store.writing() as connection:
            statement = insert(OPINION_MODELS).values(sha256=model.sha256, **said)
            connection.execute(statement.on_conflict_do_update(index_elements=["sha256"], set_=said))
            newest = select(OPINION_MODELS.c.number).order_by(OPINION_MODELS.c.asked_us.desc()).limit(MOST_MODELS)
            connection.execute(delete(OPINION_MODELS).where(OPINION_MODELS.c.number.not_in(newest)))
            found = select(OPINION_MODELS.c.number).where(OPINION_MODELS.c.sha256 == model.sha256)
            return int(connection.execute(found).scalar_one())

    def ran(self, model: int, runtime: str) -> None:
        """Notes what ran a model: with `auto` that shows when its golden frames have reproduced."""
        with self._store.writing() as connection:
            here = OPINION_MODELS.c.number == model
            connection.execute(update(OPINION_MODELS).where(here).values(runtime=runtime))

    def write(self, model: int, opinion: Opinion) -> None:
        """Keeps an opinion, in place of an older one of the same model on the same part.

        Args:
            model: Number of the model.
            opinion: What it says.
        """
        lane, epoch, part_id = opinion.key
        said = {name: getattr(opinion, name) for name in ("lot", "said", "would", "label", "score", "took_us", "at_us")}
        said["boxes"] = json.dumps([_as_row(each) for each in opinion.boxes], allow_nan=False)
        statement = insert(OPINIONS).values(lane=lane, epoch=epoch, part_id=part_id, model=model, **said)
        keys = ["lane", "epoch", "part_id", "model"]
        with self._store.writing() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=said))

    def forget(self, kept: Collection[PartKey]) -> int:
        """Lets go of the opinions on all parts but some.

        Args:
            kept: The parts whose pictures are kept.

        Returns:
            How many parts it forgot.
        """
        place = (OPINIONS.c.lane, OPINIONS.c.epoch, OPINIONS.c.part_id)
        with self._store.reading() as connection:
            known = [_key(*row) for row in connection.execute(select(*place).distinct())]
        gone = [key for key in known if key not in kept]
        for of_parts in in_groups(OPINIONS.c, gone):
            with self._store.writing() as connection:
                connection.execute(delete(OPINIONS).where(of_parts))
        return len(gone)

    def judged(self, model: int) -> set[PartKey]:
        """The parts that a model has judged."""
        query = select(OPINIONS.c.lane, OPINIONS.c.epoch, OPINIONS.c.part_id).where(OPINIONS.c.model == model)
        with self._store.reading() as connection:
            return {_key(*row) for row in connection.execute(query)}

    def models(self) -> list[Asked]:
        """The models that were asked, the one asked last first."""
        parts = select(OPINIONS.c.model, func.count().label("parts")).group_by(OPINIONS.c.model).subquery()
        joined = OPINION_MODELS.outerjoin(parts, parts.c.model == OPINION_MODELS.c.number)
        columns = (*OPINION_MODELS.c, func.coalesce(parts.c.parts, 0).label("parts"))
        query = select(*columns).select_from(joined).order_by(OPINION_MODELS.c.asked_us.desc())
        with self._store.reading() as connection:
            return [Asked(**dict(row)) for row in connection.execute(query).mappings()]

    def of(self, key: PartKey) -> list[tuple[Asked, Opinion]]:
        """What each model says of a part, the one asked last first."""
        lane, epoch, part_id = key
        where = (OPINIONS.c.lane == lane) & (OPINIONS.c.epoch == epoch) & (OPINIONS.c.part_id == part_id)
        asked = {each.number: each for each in self.models()}
        with self._store.reading() as connection:
            rows = connection.execute(select(OPINIONS).where(where)).all()
        found = [(asked[row.model], _opinion(row)) for row in rows if row.model in asked]
        return sorted(found, key=lambda each: -each[0].asked_us)

    def lots(self, model: int) -> list[str]:
        """The lots of the parts that a model has judged."""
        query = select(OPINIONS.c.lot).where(OPINIONS.c.model == model).distinct().order_by(OPINIONS.c.lot)
        with self._store.reading() as connection:
            return list(connection.scalars(query))

    def weigh(self, model: int, lane: int | None = None, lot: str | None = None) -> Weighed:
        """Counts how the line's models and another one judged the same parts.

        Args:
            model: Number of the other one.
            lane: Only parts of this lane.
            lot: Only parts of this lot.
        """
        wanted = [OPINIONS.c.model == model]
        wanted += [] if lane is None else [OPINIONS.c.lane == lane]
        wanted += [] if lot is None else [OPINIONS.c.lot == lot]
        both = (OPINIONS.c.said != PASS, OPINIONS.c.would != PASS)
        same = and_(*(LABELLED.c[name] == OPINIONS.c[name] for name in ("lane", "epoch", "part_id")))
        with self._store.reading() as connection:
            parts = _counted(connection, both, wanted)
            elsewhere = select(func.count()).select_from(OPINIONS)
            elsewhere = elsewhere.where(*wanted, *both, OPINIONS.c.said != OPINIONS.c.would)
            labels = select(LABELLED.c.kind, *both, func.count()).select_from(OPINIONS.join(LABELLED, same))
            labels = labels.where(*wanted, LABELLED.c.kind != "").group_by(LABELLED.c.kind, *both)
            labelled: dict[LabelKind, dict[tuple[bool, bool], int]] = {}
            for row in connection.execute(labels):
                labelled.setdefault(LabelKind(row[0]), {})[bool(row[1]), bool(row[2])] = row[3]
            middle = select(OPINIONS.c.took_us).where(*wanted).order_by(OPINIONS.c.took_us)
            median_us = connection.execute(middle.offset(sum(parts.values()) // 2).limit(1)).scalar()
            return Weighed(parts, labelled, int(connection.execute(elsewhere).scalar_one()), median_us)


def _counted(
    connection: Connection, both: Sequence[ColumnElement[bool]], wanted: Iterable[ColumnElement[bool]]
) -> dict[tuple[bool, bool], int]:
    query = select(*both, func.count()).select_from(OPINIONS).where(*wanted).group_by(*both)
    return {(bool(row[0]), bool(row[1])): row[2] for row in connection.execute(query)}


def _key(lane: int, epoch: int, part_id: int) -> PartKey:
    return lane, epoch, part_id


def _as_row(box: OpinionBox) -> list[object]:
    place = (round(each, 2) for each in box.box_px)
    return [box.camera, box.exposure, box.label, round(box.score, 5), *place, box.kind]


def _opinion(row: Row[Any]) -> Opinion:
    boxes = tuple(
        OpinionBox(camera, exposure, label, score, (x, y, width, height), kind)
        for camera, exposure, label, score, x, y, width, height, kind in json.loads(row.boxes)
    )
    key = (row.lane, row.epoch, row.part_id)
    return Opinion(key, row.lot, row.said, row.would, row.label, row.score, boxes, row.took_us, row.at_us)
