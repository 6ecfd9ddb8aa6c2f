"""A station's side of the bus, written by hand, and the pages that look at it."""

from __future__ import annotations

import json

from app.bus.block import BlockWriter
from app.bus.events import encode_event
from app.bus.place import Place
from app.bus.ring import RingWriter
from app.clock import NS_PER_MS, NS_PER_S, VirtualClock
from app.config import UiSettings
from app.status import State, Status, encode_status
from app.types import EventKind, LedgerEvent, Tally
from app.web.access.hashing import Cost, Hasher
from app.web.application import create_app
from app.web.context import make_context
from app.web.lane import Lane
from app.web.live import Live
from app.web.store.database import FILE, FOLDER, Store
from tests.unit.web.people import sign_in

START_NS = 100 * NS_PER_S


_BLANK = []


def lay_store(state):
    """A store that no step has to make any more: making one anew for each test would take most of the test's time."""
    folder = state / FOLDER
    if not _BLANK:
        store = Store(folder)
        with store.writing():
            pass
        store.close()
        _BLANK.append((folder / FILE).read_bytes())
    elif not (folder / FILE).exists():
        folder.mkdir(mode=0o700, parents=True)
        (folder / FILE).write_bytes(_BLANK[0])
        (folder / FILE).chmod(0o600)


class Bench:
    """Writes what a station would, on a clock that stands still, and lets the web look when told."""

    def __init__(self, root, lanes=(1,), most_clients=8):
        self.clock = VirtualClock(START_NS)
        self.place = Place(root)
        self.lanes = [Lane(number, f"Line {number}", 5.0, ("top",)) for number in lanes]
        self.live = Live(self.place, self.lanes, self.clock, most_clients)
        self.state = root.parent / "state"
        lay_store(self.state)
        self.hasher = Hasher(Cost(passes=1, memory_kib=8))
        self.context = make_context(self.place, self.live, UiSettings(), self.clock, self.state, hasher=self.hasher)
        self.app = create_app(self.context)
        self.client = self.app.test_client()
        self.blocks = {}
        self.rings = {}
        self.sequence = 0

    def publish(self, lane=1, **fields):
        """A new snapshot in the status block."""
        if lane not in self.blocks:
            self.blocks[lane] = BlockWriter(self.place.status(lane), 32 * 1024)
        said = {
            "state": State.RUNNING,
            "why": "",
            "since_ns": START_NS - 3 * NS_PER_S,
            "at_ns": self.clock.now_ns(),
            "tally": Tally(10, 7, 2, 0, 1),
            "lot": "A",
            "lane": lane,
            **fields,
        }
        self.blocks[lane].write(encode_status(Status(**said)))

    def event(self, kind, part_id=None, lane=1, epoch=1, **data):
        """One event in the ring."""
        if lane not in self.rings:
            self.rings[lane] = RingWriter(self.place.ring(lane), 1 << 16)
        event = LedgerEvent(lane, epoch, self.sequence, self.clock.now_ns(), EventKind[kind], part_id, 0, data)
        self.sequence += 1
        self.rings[lane].write(encode_event(event))

    def judged(self, part_id, destination="pass", text="", reasons="", detections=(), total_us=2500, **more):
        """Verdict and record of one part."""
        said = {"destination": destination, "route": destination, "reasons": reasons, "text": text}
        self.event("VERDICT", part_id, is_flagged=False, **said)
        self.event(
            "JUDGED",
            part_id,
            camera="top",
            exposure=0,
            width=640,
            height=480,
            detections=json.dumps(detections),
            total_us=total_us,
            **more,
        )

    def look(self, later_ms=0):
        """The web looks, some time later."""
        self.clock.advance_to(self.clock.now_ns() + later_ms * NS_PER_MS)
        self.live.look()

    def preview(self, name, content=b"\xff\xd8jpeg"):
        """What the recorder lays down."""
        (self.place.previews() / name).write_bytes(content)

    def as_role(self, role, name="", *, by="password"):
        """Signs the client in as somebody of a role; gives the headers of their commands."""
        return sign_in(self.client, self.context, role, name, by=by)

    def close(self):
        """Lets go of everything."""
        self.live.stop()
        self.context.close()
        for each in (*self.blocks.values(), *self.rings.values()):
            each.close()


def messages(chunk):
    """The events of a piece of a stream, as (name, content)."""
    found = []
    for block in chunk.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found
