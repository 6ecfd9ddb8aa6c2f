"""A ledger of some days of production, with labels: what figures are drawn from."""

from __future__ import annotations

import json
import random
from datetime import timedelta

from app.record import DOCUMENTS, LEDGER
from app.record.documents import keep
from app.record.ledger import Ledger
from app.types import EventKind
from app.web.review.label import LabelKind, Said
from app.web.review.labels import Labels
from tests.unit.record.station_events import StationEvents

CLASSES = ("short", "open", "mouse_bite", "spur", "pin_hole")
RECIPE = """\
name = "Board A"

[default]
threshold = 0.5

[classes.short]  # shorts are never shipped
threshold = 0.35
"""
PARTS_PER_STEP = 30


class Week:
    """Writes production into a state folder.

    Args:
        state: The folder.
        end: When it ended.
        hours: For how long it ran.
        seed: Of the chance.
    """

    def __init__(self, state, end, hours=48, seed=3):
        self.state, self.end, self.hours = state, end, hours
        self.chance = random.Random(seed)
        self.recipe_sha256 = keep(state / DOCUMENTS, RECIPE)
        self.rejected, self.passed = [], []

    def write(self, bad_hour=30):
        """Every ten minutes some parts; two models, the second from the middle on; one bad hour."""
        ledger = Ledger.open(self.state / LEDGER)
        for epoch, package in enumerate(("pcb-nano", "pcb-golden"), 1):
            station = StationEvents(epoch=epoch)
            steps = [step for step in range(6 * self.hours) if (step >= 3 * self.hours) == (epoch == 2)]
            for step in steps:
                at = self.end - timedelta(minutes=10 * (6 * self.hours - step))
                station.lot = f"4711-{step // 60 + 1:02}"
                events = self.start(station, package, epoch) if step == steps[0] else []
                share = 0.25 if step // 6 == bad_hour else 0.04
                for _ in range(PARTS_PER_STEP):
                    events += self.part(station, epoch, share)
                ledger.append(events, at)
        ledger.close()
        return self

    def start(self, station, package, epoch):
        said = {"lot": station.lot, "package": package, "package_sha256": f"{epoch}" * 64, "threshold": 0.3}
        said |= {"recipe": "Board A", "recipe_sha256": self.recipe_sha256, "runtime": "onnx", "version": "1"}
        return [station.event(EventKind.STARTED, **said), station.event(EventKind.LOT_OPENED, lot=station.lot)]

    def part(self, station, epoch, share):
        trigger = station.trigger()
        part_id = trigger.part_id
        is_bad = self.chance.random() < share
        label = self.chance.choices(CLASSES, (9, 6, 4, 2, 1))[0]
        score = min(0.99, max(0.05, self.chance.gauss(0.75 if is_bad else 0.2, 0.15)))
        threshold = 0.35 if label == "short" else 0.5
        is_rejected = score >= threshold
        destination = "reject" if is_rejected else "pass"
        box = [label, round(score, 5), 12.0, 30.0, 20.0, 16.0]
        text = f"{label} {score:.2f} at x=12 y=30, 20 x 16 px, threshold {threshold:g}" if is_rejected else ""
        (self.rejected if is_rejected else self.passed).append(((1, epoch, part_id), is_bad))
        reason = "DEFECT" if is_rejected else ""
        return [
            trigger,
            station.verdict(part_id, destination, reasons=reason, text=text),
            station.judged(
                part_id, destination, detections=json.dumps([box]), total_us=round(self.chance.lognormvariate(7.9, 0.2))
            ),
            station.outcome(part_id, "REJECTED" if is_rejected else "PASSED", reason=reason),
        ]

    def label(self, context, passes=120):
        """Somebody labels every reject and a sample of the passes."""
        labels = Labels(context.store, context.audit, context.clock)
        bad = [LabelKind.FALSE_REJECT, LabelKind.TRUE_DEFECT]
        good = [LabelKind.GOOD, LabelKind.ESCAPE]
        sample = self.chance.sample(self.passed, min(passes, len(self.passed)))
        with context.store.writing():
            for kinds, parts in ((bad, self.rejected), (good, sample)):
                for key, is_bad in parts:
                    labels.say(key, "quinn", Said(kinds[is_bad]), 0)
        return self
