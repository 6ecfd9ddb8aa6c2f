"""A state folder as a station leaves it: a ledger, pictures and documents, with verdicts of the tiny package."""

import json
from datetime import timedelta

from app.decide import decide
from app.detect.inspection import Inspector
from app.detect.package import load_package
from app.detect.runtimes import open_detector
from app.recipe import Recipe
from app.record.documents import keep
from app.record.ledger import Ledger
from app.record.pictures import PictureKind, Shot, store
from app.record.register import Register
from app.record.walltime import micros
from app.types import EventKind
from tests.unit.detect.tiny_model import THRESHOLD, blank, with_spot
from tests.unit.record.station_events import WALL, StationEvents

RECIPE = 'schema = 1\nname = "tiny"\n'
SPOT, GOOD, FAINT = with_spot(20, 10, 204), blank(), with_spot(4, 4, 77)


class Site:
    """Records parts; `write` puts them where a station would."""

    def __init__(self, zoo, state, *, line_text, package="plain"):
        self.state = state
        self._package = load_package(zoo / package)
        self._events = StationEvents()
        self._recipe = Recipe.model_validate({"schema": 1, "name": "tiny"}).settled(THRESHOLD)
        documents = state / "documents"
        self._said = [
            self._events.event(
                EventKind.STARTED,
                lot="lot-1",
                package=package,
                package_sha256=self._package.onnx_sha256,
                recipe="tiny",
                recipe_sha256=keep(documents, RECIPE),
                line_sha256=keep(documents, line_text),
                runtime="onnx",
                threshold=THRESHOLD,
                version="1",
            ),
            self._events.event(EventKind.LOT_OPENED, lot="lot-1"),
        ]
        self._pictures = []
        detector = open_detector(self._package, "onnx", 1)
        self._inspector = Inspector(detector, self._recipe)

    def part(self, *images, keeps=True, lies=0.0):
        """One part with an exposure per picture; `lies`: so much is added to each recorded score."""
        trigger = self._events.trigger()
        part_id, found, judged = trigger.part_id, [], []
        for exposure, image in enumerate(images):
            own = self._inspector.inspect(image).detections
            found += own
            verdict = decide(part_id, found, self._recipe, 0)
            rows = [[d.label, round(d.score + lies, 5), *(round(v, 2) for v in d.box_px)] for d in own]
            data = {"exposure": exposure, "detections": json.dumps(rows), "picture": ""}
            judged.append(self._events.judged(part_id, verdict.destination, **data))
            is_kept = keeps if isinstance(keeps, bool) else exposure in keeps
            if is_kept:
                shot = Shot(1, 1, part_id, "top", exposure, micros(WALL))
                self._pictures.append(store(self.state / "pictures", shot, PictureKind.FLAGGED, image))
        outcome = "PASSED" if verdict.is_pass else "REJECTED"
        self._said += [
            trigger,
            *judged,
            self._events.verdict(part_id, verdict.destination),
            self._events.outcome(part_id, outcome),
        ]

    def unseen(self):
        """A part of which no frame came."""
        trigger = self._events.trigger()
        verdict = self._events.verdict(trigger.part_id, "reject", reasons="NO_FRAME", text="no frame")
        self._said += [trigger, verdict, self._events.outcome(trigger.part_id, "REJECTED")]

    def write(self):
        ledger = Ledger.open(self.state / "ledger", segment_h=1)
        ledger.append(self._said, WALL + timedelta(seconds=1))
        Register(ledger, self.state / "pictures").note(self._pictures)
        ledger.close()
        return [self.state / "pictures" / each.file for each in self._pictures]
