"""Hours of production in minutes: the real station on the twin in virtual time, with a judge that costs nothing.

Its ledger is the real one: events go through a ring in memory to the real recorder, which works in the same thread.
"""

from __future__ import annotations

import gc
import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from app.bus.place import Place
from app.bus.ring import RingWriter
from app.clock import VirtualClock
from app.config import Line
from app.detect.detector import Result, Timed
from app.handover import Handover
from app.main import build_station
from app.record.recorder import Recorder
from app.rehearsal import Rehearsal
from app.setup import load_setup, twin_line
from app.twin.camera import TwinCamera
from app.twin.live import live_scenario
from app.twin.machine import Machine
from app.twin.parts import Piece
from app.twin.pins import TwinFactory
from app.types import Detection, Opening

SMALL_PX = 32
PARTS_PER_MIN = 300.0
COUNTS_PER_MM = 0.5
TOGGLE_MS = 30.0
EVERY_BAD = 10
RING_BYTES = 4 << 20
_DEFECT = Result((Detection("open", 0.9, (1.0, 1.0, 5.0, 5.0)),), pre_ns=1, infer_ns=1, decode_ns=1)
_FINE = Result((), pre_ns=1, infer_ns=1, decode_ns=1)


class Tiles:
    """Parts without end: every tenth is bad, and its picture is white."""

    def __init__(self) -> None:
        self._pieces = {is_bad: self._piece(is_bad) for is_bad in (False, True)}

    def __getitem__(self, index):
        return self._pieces[index % EVERY_BAD == 0]

    @staticmethod
    def _piece(is_bad):
        image = np.full((SMALL_PX, SMALL_PX), 255 * is_bad, np.uint8)
        return Piece(f"tile-{is_bad}.png", is_bad, lambda: image, is_frame=True)


class Glance(Timed):
    """A judge that looks at one pixel."""

    def inspect(self, image, name):
        return _DEFECT if image[0, 0] else _FINE


class Nobody:
    """A recorder that takes everything and keeps nothing."""

    is_full = False

    def __init__(self) -> None:
        self.events = 0

    def take(self, events):
        self.events += len(events)
        return len(events)

    def keep(self, frame, verdict, detections):
        return True


class OnTheBus(Handover):
    """The real way to the recorder; pictures are none of its business here."""

    def __init__(self, ring: RingWriter) -> None:
        super().__init__(ring, (), {}, 2)

    def keep(self, frame, verdict, detections):
        return True


class Shift:
    """A line at work.

    Args:
        folder: For bus and ledger; without one nobody records.
        parts_per_min: How many parts come.
    """

    def __init__(self, folder: Path | None = None, parts_per_min: float = PARTS_PER_MIN) -> None:
        setup = load_setup(twin_line())
        setup = setup.with_line(_small(setup.line)).with_threshold(0.5)
        self.clock = VirtualClock(1)
        self.recorder: Recorder | None = None
        self._opened = ExitStack()
        factory = TwinFactory(self.clock)
        scenario = live_scenario(setup.line, parts_per_min)
        machine = Machine(setup.line, factory, self.clock, Tiles(), scenario, recent=100)
        taker = Nobody() if folder is None else self._recorded(folder, setup.line)
        self.cameras = {each.name: TwinCamera(each, machine, self.clock) for each in setup.line.cameras}
        self.station = build_station(
            setup,
            clock=self.clock,
            pin_factory=factory,
            cameras=self.cameras,
            judge=Glance(),
            recorder=taker,
            opening=Opening(lot="a day"),
        )
        self._opened.callback(self.station.close)
        self.machine = machine
        self._rehearsal = Rehearsal(self.station, machine, self.clock, taker)

    def run(self, parts: int, on_second=lambda _parts: None) -> None:
        """Runs until so many parts have been triggered."""
        last_s = 2 * 60 * parts / PARTS_PER_MIN + 60
        try:
            self._rehearsal.run(last_s, lambda status: self._second(status, parts, on_second))
        except StopIteration:
            return

    def close(self) -> None:
        """Commits what is on its way, and lets everything go."""
        self._opened.close()

    def _second(self, status, parts: int, on_second) -> None:
        if self.recorder is not None:
            self.recorder.step()
        on_second(status.tally.triggers)
        if status.tally.triggers >= parts:
            raise StopIteration

    def _recorded(self, folder: Path, line: Line) -> OnTheBus:
        place = Place(folder / "bus")
        ring = RingWriter(place.ring(1), RING_BYTES)
        self._opened.callback(ring.close)
        # So much is always free: the test is about the ledger and not about this machine's disk.
        lanes, free = {1: [each.name for each in line.cameras]}, lambda _folder: 1 << 40
        self.recorder = Recorder(place, folder / "state", lanes, line.storage, self.clock, free)
        self._opened.callback(self._record_the_rest)
        return OnTheBus(ring)

    def _record_the_rest(self) -> None:
        while self.recorder.step():
            pass
        self.recorder.close()


def resident_bytes() -> int:
    """What this process has in memory now, the collector's leavings apart."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def handles() -> int:
    """How many descriptors are open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _small(line: Line) -> Line:
    """The same line with few pixels, as nobody looks at more than one, and with few events that are no part's."""
    cameras = tuple(
        each.model_copy(update={"width_px": SMALL_PX, "height_px": SMALL_PX, "channels": 1}) for each in line.cameras
    )
    encoder = line.encoder.model_copy(update={"counts_per_mm": COUNTS_PER_MM})
    permit = line.permit.model_copy(update={"toggle_ms": TOGGLE_MS})
    return line.model_copy(update={"cameras": cameras, "encoder": encoder, "permit": permit})
