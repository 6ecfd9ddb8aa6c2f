"""What the record tells, as frozen values: parts, lots, events, pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row

from app.record.walltime import moment
from app.types import EventKind, LedgerEvent, Scalar, Tally


@dataclass(frozen=True, slots=True)
class PartRecord:
    """A part, as far as its story goes.

    Attributes:
        lane: The lane.
        epoch: Which start of the station triggered it.
        part_id: Its number in that epoch.
        lot: Its lot.
        serial: Its serial number, where it is known.
        triggered: When it was triggered.
        settled: When its outcome was recorded; `None` while it is in flight.
        verdict: The destination that was judged; `None` before the verdict.
        route: Where it was sent.
        reasons: Codes of the reasons.
        text: The reasons in words.
        is_flagged: A person should look at it.
        total_ms: Frame in memory to verdict, of its slowest frame.
        outcome: `PASSED`, `REJECTED` or `LOST`; `None` while it is in flight.
        confirmation: How that is known.
        destination: Where it went.
    """

    lane: int
    epoch: int
    part_id: int
    lot: str
    serial: str | None
    triggered: datetime | None
    settled: datetime | None
    verdict: str | None
    route: str | None
    reasons: tuple[str, ...]
    text: str
    is_flagged: bool
    total_ms: float | None
    outcome: str | None
    confirmation: str | None
    destination: str | None

    @property
    def name(self) -> str:
        """How a person names it: lane/epoch/part."""
        return f"{self.lane}/{self.epoch}/{self.part_id}"


@dataclass(frozen=True, slots=True)
class LotRecord:
    """The account of a lot.

    Attributes:
        lane: The lane.
        lot: Its name.
        opened: When it was opened first.
        closed: When it was closed; `None` while it is open.
        tally: The account.
    """

    lane: int
    lot: str
    opened: datetime | None
    closed: datetime | None
    tally: Tally


@dataclass(frozen=True, slots=True)
class PictureRecord:
    """A picture of a part.

    Attributes:
        camera: The camera.
        exposure: Which of the part's exposures.
        kind: Why it was kept: `pass`, `flagged` or `reject`.
        file: Its path below the folder of pictures.
        size: Bytes.
        sha256: Of the file, in hexadecimal.
        gone: When it was deleted; `None` while it is there.
        gone_why: By which rule.
        number: Its row in the register.
    """

    camera: str
    exposure: int
    kind: str
    file: str
    size: int
    sha256: str
    gone: datetime | None
    gone_why: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger.

    Attributes:
        row: Its number in the lane.
        wall: When it happened.
        event: The event.
    """

    row: int
    wall: datetime
    event: LedgerEvent

    @classmethod
    def of(cls, row: Row[Any]) -> Entry:
        """The entry in a row of the table of events."""
        said = row._mapping  # noqa: SLF001 - a public name; `count` as an attribute is the tuple's own
        data: Mapping[str, Scalar] = MappingProxyType(json.loads(said["data"]))
        numbers = (said["lane"], said["epoch"], said["sequence"], said["at_ns"])
        event = LedgerEvent(*numbers, EventKind(said["kind"]), said["part_id"], said["count"], data)
        return cls(said["row"], moment(said["wall_us"]), event)


@dataclass(frozen=True, slots=True)
class TermsRecord:
    """What a part was judged under.

    Attributes:
        since: From when on.
        package: The model package; empty where it is not known, as all below.
        package_sha256: Of its manifest.
        recipe: The recipe's name.
        recipe_sha256: Of its text.
        line_sha256: Of the line's settings.
        runtime: What ran the model.
        version: Of Takt.
    """

    since: datetime
    package: str
    package_sha256: str
    recipe: str
    recipe_sha256: str
    line_sha256: str
    runtime: str
    version: str


@dataclass(frozen=True, slots=True)
class Story:
    """Everything the record holds of a part.

    Attributes:
        part: The part.
        entries: Its events in order.
        pictures: Its pictures, deleted ones included.
        started: What the station said of itself at its start: model, recipe, settings, version.
    """

    part: PartRecord
    entries: tuple[Entry, ...]
    pictures: tuple[PictureRecord, ...]
    started: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class LatencyFigures:
    """Frame in memory to verdict, in milliseconds, over the last parts. Zeros where there are none."""

    parts: int = 0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    worst: float = 0.0
