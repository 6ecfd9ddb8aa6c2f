"""A station that only writes events: what a lane tells of the parts that go by."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

from app.record.database import FILE
from app.record.ledger import Ledger
from app.types import EventKind, LedgerEvent

WALL = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
PITCH_NS = 200_000_000
REJECT_EVERY = 5


class StationEvents:
    """Numbers events as the journal of a station does."""

    def __init__(self, lane=1, epoch=1, lot="lot-1"):
        self.lane = lane
        self.epoch = epoch
        self.lot = lot
        self.sequence = 0
        self.parts = 0
        self.now_ns = 1_000_000_000 * epoch
        self.count = 0

    def event(self, kind, part_id=None, **data):
        event = LedgerEvent(self.lane, self.epoch, self.sequence, self.now_ns, kind, part_id, self.count, data)
        self.sequence += 1
        self.now_ns += 1_000_000
        self.count += 4
        return event

    def start(self, *, is_first=True):
        events = [self.event(EventKind.STARTED, lot=self.lot, package="tiny", recipe="board", version="1")]
        return events + ([self.event(EventKind.LOT_OPENED, lot=self.lot)] if is_first else [])

    def trigger(self, serial=None):
        self.parts += 1
        self.now_ns += PITCH_NS
        self.count += 400
        details = {"trigger_count": self.count, "trigger_ns": self.now_ns, "lot": self.lot, "serial": serial}
        return self.event(EventKind.TRIGGER, self.parts, **details)

    def judged(self, part_id, destination="pass", *, slot=-1, generation=0, camera="top", exposure=0, **data):
        details = {"camera": camera, "exposure": exposure, "slot": slot, "generation": generation}
        details |= {"destination": destination, "is_flagged": False, "detections": "[]", "total_us": 2400}
        return self.event(EventKind.JUDGED, part_id, **(details | data))

    def verdict(self, part_id, destination="pass", **data):
        details = {"destination": destination, "route": destination, "reasons": "", "text": "", "is_flagged": False}
        if destination != "pass":
            details |= {"reasons": "DEFECT", "text": "mouse_bite 0.93 at 12, 30"}
        return self.event(EventKind.VERDICT, part_id, **(details | data))

    def outcome(self, part_id, outcome="PASSED", confirmation="SEEN", **data):
        details = {"outcome": outcome, "confirmation": confirmation, "reason": ""}
        details["destination"] = "reject" if outcome == "REJECTED" else "pass"
        return self.event(EventKind.OUTCOME, part_id, **(details | data))

    def part(self, destination=None, serial=None):
        """One whole part; every fifth is rejected unless told otherwise."""
        trigger = self.trigger(serial)
        part_id = trigger.part_id
        if destination is None:
            destination = "reject" if part_id % REJECT_EVERY == 0 else "pass"
        outcome = "PASSED" if destination == "pass" else "REJECTED"
        return [
            trigger,
            self.event(EventKind.FRAME, part_id, camera="top", exposure=0),
            self.verdict(part_id, destination),
            self.judged(part_id, destination),
            self.outcome(part_id, outcome),
        ]

    def run(self, parts):
        """A start and so many parts."""
        events = self.start()
        for _ in range(parts):
            events += self.part()
        return events


def write_ledger(folder: Path, parts=10, segments=1, **station):
    """A closed ledger of so many parts in so many segments; gives the events that are in it."""
    told = StationEvents(**station)
    ledger = Ledger.open(folder, segment_h=1)
    events = told.start()
    for number in range(segments):
        if number:
            events = []
        for _ in range(parts // segments):
            events += told.part()
        ledger.append(events, WALL + timedelta(hours=number))
    ledger.close()
    return folder / FILE
