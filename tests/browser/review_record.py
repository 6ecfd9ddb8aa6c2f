"""A record to review: parts on rendered boards with their findings, pictures kept, one of them deleted, one hostile."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2

from app.decide import decide
from app.recipe import parse_recipe
from app.record import DOCUMENTS, LEDGER, PICTURES
from app.record.documents import keep
from app.record.ledger import Ledger
from app.record.pictures import PictureKind, Shot, store
from app.record.register import Drop, Kept, Register
from app.record.walltime import micros
from app.twin.boards import Design
from app.twin.defects import CLASSES
from app.types import Detection, EventKind
from tests.unit.record.station_events import StationEvents

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
RECIPE = """schema = 1
name = "demo board"
[default]
threshold = 0.35
[classes.mousebite]
threshold = 0.5
[classes.spur]
policy = "flag"
"""
PACKAGE = {
    "package": "pcb-nano",
    "package_sha256": "5f" * 32,
    "runtime": "openvino",
    "version": "1.0",
    "threshold": 0.3,
}
SIZE = 960
GONE_PART = 4
SAMPLE_EVERY = 7


class Record:
    """Writes a ledger and its pictures.

    Args:
        state: The state folder.
        parts: How many parts.
        boards: How many different pictures.
    """

    def __init__(self, state: Path, parts: int = 48, boards: int = 10, seed: int = 5) -> None:
        self.state = state
        self.dice = random.Random(seed)
        self.recipe = parse_recipe(RECIPE, "recipe")
        self.boards = [self._board(Design(seed), number) for number in range(boards)]
        self.ledger = Ledger.open(state / LEDGER)
        self.register = Register(self.ledger, state / PICTURES)
        self.station = StationEvents(lot="2026-31-A")
        self.wall = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(seconds=parts * 2 + 10)
        recipe_sha256 = keep(state / DOCUMENTS, RECIPE)
        started = self.station.event(
            EventKind.STARTED, lot=self.station.lot, recipe="demo board", recipe_sha256=recipe_sha256, **PACKAGE
        )
        self.ledger.append([started, self.station.event(EventKind.LOT_OPENED, lot=self.station.lot)], self.wall)
        for number in range(1, parts + 1):
            self.part(number)
        self.hostile(parts + 1)
        self._delete(GONE_PART)
        self.ledger.close()

    def _board(self, design: Design, number: int):
        defects = tuple(self.dice.sample(CLASSES, 1 + number % 2)) if number % 3 == 0 else ()
        board = design.board(number, defects)
        scale = SIZE / board.image.shape[1]
        image = cv2.resize(board.image, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
        found = [
            Detection(label, self.dice.uniform(0.4, 0.97), tuple(scale * float(each) for each in box))
            for label, box in board.boxes
        ]
        if number % 5 == 4:
            found.append(Detection("short", 0.29, (602.0, 196.0, 54.0, 50.0)))
        return image, found

    def part(self, number: int) -> None:
        """One part from its trigger to its outcome."""
        image, found = self.boards[number % len(self.boards)]
        verdict = decide(number, found, self.recipe, 0)
        self._write(number, image, found, verdict, serial=f"SN-{4000 + number}")

    def hostile(self, number: int) -> None:
        """A part whose lot, serial number and class are markup."""
        image, _ = self.boards[1]
        found = [Detection(HOSTILE, 0.9, (100.0, 100.0, 200.0, 120.0))]
        self.station.lot = HOSTILE
        self._write(number, image, found, decide(number, found, self.recipe, 0), serial=HOSTILE)

    def _write(self, number, image, found, verdict, serial) -> None:
        station = self.station
        self.wall += timedelta(seconds=2)
        station.count, station.now_ns = number * 800, station.now_ns + 1_500_000_000
        station.parts = number - 1
        events = [station.trigger(serial)]
        for kind, ms, data in (
            (EventKind.EXPOSED, 62, {"camera": "top", "exposure": 0}),
            (EventKind.FRAME, 71, {"camera": "top", "exposure": 0}),
            (EventKind.JUDGED, 74.4, self._judged(found, verdict)),
            (EventKind.VERDICT, 74.5, self._verdict(verdict)),
        ):
            events.append(self._at(events[0], ms, kind, number, data))
        is_pass = verdict.destination == "pass"
        if not is_pass:
            events.append(
                self._at(events[0], 402, EventKind.GATE_ON, number, {"destination": "reject", "position": 900})
            )
        events.append(self._at(events[0], 655, EventKind.CONFIRMED, number, {"sensor": "exit" if is_pass else "chute"}))
        outcome = {"outcome": "PASSED" if is_pass else "REJECTED", "confirmation": "SEEN", "reason": ""}
        events.append(
            self._at(events[0], 655, EventKind.OUTCOME, number, {**outcome, "destination": verdict.destination})
        )
        self.ledger.append(events, self.wall, events[-1].at_ns)
        kind = PictureKind.REJECT if not is_pass else PictureKind.FLAGGED if verdict.is_flagged else None
        kind = kind or (PictureKind.PASS if number % SAMPLE_EVERY == 0 else None)
        if kind:
            shot = Shot(1, 1, number, "top", 0, micros(self.wall))
            self.register.note([store(self.state / PICTURES, shot, kind, image)])

    def _at(self, first, ms, kind, number, data):
        self.station.now_ns = first.at_ns + round(ms * 1e6)
        return self.station.event(kind, number, **data)

    def _judged(self, found, verdict):
        boxes = [[each.label, round(each.score, 4), *each.box_px] for each in found]
        times = {"transfer_us": 8100, "wake_us": 110, "pre_us": 260, "infer_us": 2300, "decode_us": 45, "decide_us": 22}
        said = {"camera": "top", "exposure": 0, "width": SIZE, "height": SIZE, "runtime": "openvino", "slot": -1}
        said |= {"destination": verdict.destination, "is_flagged": verdict.is_flagged, "detections": json.dumps(boxes)}
        return {**said, **times, "total_us": 2737 + self.dice.randrange(200)}

    def _verdict(self, verdict):
        reasons = " ".join(sorted({each.reason.value for each in verdict.findings}))
        text = "; ".join(each.text for each in verdict.findings)
        said = {"destination": verdict.destination, "route": verdict.destination, "is_flagged": verdict.is_flagged}
        return {**said, "reasons": reasons, "text": text}

    def _delete(self, number: int) -> None:
        kept = [each for kind in PictureKind for each in self.register.oldest([kind], 100)]
        of_part = [each for each in kept if f"lane1-1-{number}-" in each.file]
        assert of_part, "the part whose picture goes must have one"
        drops = [
            Drop(Kept(each.number, each.kind, each.file, each.size, each.taken_us), "older than 30 days")
            for each in of_part
        ]
        self.register.remove(drops, micros(self.wall))
