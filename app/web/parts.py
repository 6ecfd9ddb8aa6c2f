"""The last parts of a lane, folded from its ledger events. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any
from urllib.parse import quote

from app.clock import NS_PER_MS
from app.types import PASS, EventKind, LedgerEvent
from app.web.findings import Box, Finding, boxes_of, findings_of

SHOWN = 12
"""Parts that the page keeps."""

_EARLY = 64
"""Parts of which a picture was judged and the verdict waits for others, at most."""

_STAGES = ("transfer", "wake", "pre", "infer", "decode", "decide")
_US_PER_MS = 1000

Key = tuple[int, int]


def preview_of(lane: int, epoch: int, part_id: int, camera: str) -> str:
    """The name under which the recorder lays down the preview of a part's picture."""
    return f"lane{lane}-{epoch}-{part_id}-{quote(camera, safe='')}.jpg"


@dataclass(slots=True)
class Picture:
    """One judged picture of a part.

    Attributes:
        camera: The camera.
        exposure: Which of the part's exposures.
        file: The preview's name.
        size_px: Width and height of the frame that the boxes refer to; 0 where nobody said.
        boxes: What was found.
        total_ms: Frame in memory to verdict.
        stages_ms: The same by stage.
        is_ready: The preview is there.
    """

    camera: str
    exposure: int
    file: str
    size_px: tuple[int, int]
    boxes: tuple[Box, ...]
    total_ms: float
    stages_ms: dict[str, float]
    is_ready: bool = False

    def as_json(self, findings: tuple[Finding, ...]) -> dict[str, Any]:
        """The picture as the page gets it."""
        return {
            "camera": self.camera,
            "exposure": self.exposure,
            "file": self.file,
            "is_ready": self.is_ready,
            "width": self.size_px[0],
            "height": self.size_px[1],
            "boxes": [box.as_json(findings) for box in self.boxes],
        }


@dataclass(slots=True)
class Shown:
    """One part as the page shows it.

    Attributes:
        lane: The lane.
        epoch: Its epoch.
        part_id: Its number.
        at_ns: When its verdict was reached.
        destination: As judged.
        route: As it is sent.
        reasons: Codes, separated by blanks.
        text: The reasons in words.
        is_flagged: A person should look at it.
        rerouted: Why it was sent elsewhere after its verdict; a code or empty.
        outcome: Its final state, once there is one.
        confirmation: How that is known.
        pictures: Its pictures by exposure and camera.
    """

    lane: int
    epoch: int
    part_id: int
    at_ns: int
    destination: str = PASS
    route: str = PASS
    reasons: str = ""
    text: str = ""
    is_flagged: bool = False
    rerouted: str = ""
    outcome: str = ""
    confirmation: str = ""
    pictures: dict[tuple[int, str], Picture] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What tells it from every other part of its lane."""
        return self.epoch, self.part_id

    @property
    def is_reject(self) -> bool:
        """It does not stay on the belt."""
        return self.destination != PASS or self.route != PASS

    def as_json(self, budget_ms: float) -> dict[str, Any]:
        """The part as the page gets it."""
        findings = findings_of(self.text, self.reasons)
        pictures = [self.pictures[each] for each in sorted(self.pictures)]
        slowest = max(pictures, key=lambda each: each.total_ms, default=None)
        return {
            "key": f"{self.lane}-{self.epoch}-{self.part_id}",
            "lane": self.lane,
            "epoch": self.epoch,
            "part": self.part_id,
            "at_ms": self.at_ns / NS_PER_MS,
            "verdict": "reject" if self.is_reject else "pass",
            "destination": self.route if self.is_reject else self.destination,
            "reasons": self.reasons.split(),
            "is_flagged": self.is_flagged,
            "rerouted": self.rerouted,
            "findings": [each.as_json() for each in findings],
            "pictures": [each.as_json(findings) for each in pictures],
            "total_ms": slowest.total_ms if slowest else None,
            "stages_ms": slowest.stages_ms if slowest else {},
            "budget_ms": budget_ms,
            "outcome": self.outcome,
            "confirmation": self.confirmation,
        }


class Parts:
    """The last parts that got a verdict, and the last one of them that was rejected.

    Args:
        lane: The lane.
        shown: How many to keep.

    Attributes:
        last_reject: The last part that was rejected, however long ago.
    """

    def __init__(self, lane: int, shown: int = SHOWN) -> None:
        self.last_reject: Shown | None = None
        self._lane = lane
        self._most = shown
        self._parts: OrderedDict[Key, Shown] = OrderedDict()
        self._early: OrderedDict[Key, dict[tuple[int, str], Picture]] = OrderedDict()
        self._changed: OrderedDict[Key, Shown] = OrderedDict()

    def fold(self, event: LedgerEvent) -> None:
        """Takes one event."""
        if event.part_id is None:
            return
        data = event.data
        # The station that died has left parts to its successor, which settles them under their old number.
        epoch = data.get("of_epoch")
        key = (epoch if isinstance(epoch, int) else event.epoch, event.part_id)
        if event.kind is EventKind.VERDICT:
            self._verdict(key, event)
        elif event.kind is EventKind.JUDGED:
            self._judged(key, event)
        elif event.kind is EventKind.REROUTED:
            for part in self._known(key):
                part.route, part.rerouted = str(data.get("to", "")), str(data.get("reason", ""))
                self._note(part)
        elif event.kind is EventKind.OUTCOME:
            for part in self._known(key):
                part.outcome, part.confirmation = str(data.get("outcome", "")), str(data.get("confirmation", ""))
                self._note(part)

    def newest_first(self) -> list[Shown]:
        """The parts that are kept."""
        return list(reversed(self._parts.values()))

    def awaited(self) -> Iterable[tuple[Shown, Picture]]:
        """Pictures whose preview has not been seen yet."""
        for part in self._parts.values():
            for picture in part.pictures.values():
                if not picture.is_ready:
                    yield part, picture

    def ready(self, part: Shown, picture: Picture) -> None:
        """The preview of a picture is there."""
        picture.is_ready = True
        self._note(part)

    def take_changed(self) -> list[Shown]:
        """The parts that are new or have changed since the last call, oldest first."""
        changed, self._changed = self._changed, OrderedDict()
        return list(changed.values())

    def _known(self, key: Key) -> list[Shown]:
        part = self._parts.get(key)
        last = self.last_reject
        if part is None and last is not None and last.key == key:
            part = last
        return [part] if part else []

    def _note(self, part: Shown) -> None:
        if part.is_reject and (self.last_reject is None or part.at_ns >= self.last_reject.at_ns):
            self.last_reject = part
        self._changed[part.key] = part

    def _verdict(self, key: Key, event: LedgerEvent) -> None:
        data = event.data
        part = Shown(
            self._lane,
            *key,
            at_ns=event.at_ns,
            destination=str(data.get("destination", PASS)),
            route=str(data.get("route", PASS)),
            reasons=str(data.get("reasons", "")),
            text=str(data.get("text", "")),
            is_flagged=bool(data.get("is_flagged")),
            pictures=self._early.pop(key, {}),
        )
        self._parts[key] = part
        while len(self._parts) > self._most:
            self._parts.popitem(last=False)
        self._note(part)

    def _judged(self, key: Key, event: LedgerEvent) -> None:
        picture = _picture(self._lane, key, event)
        place = (picture.exposure, picture.camera)
        for part in self._known(key):
            part.pictures[place] = picture
            self._note(part)
            return
        self._early.setdefault(key, {})[place] = picture
        while len(self._early) > _EARLY:
            self._early.popitem(last=False)


def _picture(lane: int, key: Key, event: LedgerEvent) -> Picture:
    data = event.data
    camera = str(data.get("camera", ""))
    return Picture(
        camera=camera,
        exposure=int(_number(data.get("exposure"))),
        file=preview_of(lane, *key, camera),
        size_px=(int(_number(data.get("width"))), int(_number(data.get("height")))),
        boxes=boxes_of(data.get("detections")),
        total_ms=_number(data.get("total_us")) / _US_PER_MS,
        stages_ms={name: _number(data.get(f"{name}_us")) / _US_PER_MS for name in _STAGES},
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and isfinite(value) else 0.0
