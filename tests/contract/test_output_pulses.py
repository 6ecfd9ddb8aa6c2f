"""Outputs that somebody tries, on the twin's pins behind the real limits and contacts of `app.reject.gpio`."""

from __future__ import annotations

import pytest

from app.clock import NS_PER_MS, VirtualClock
from app.config import Line
from app.recipe import Recipe
from app.reject.gpio import open_line
from app.reject.pulsing import PulseWish
from app.reject.tracking import Tracker
from app.station import Station
from app.twin.pins import TwinFactory
from app.types import EventKind, Opening
from tests.unit.test_station import Book, Eye, Mind

GATE, CONTACT, LAMP, BELT = 22, 23, 12, 5


class Cabinet:
    """A stopped line on the twin's pins; its belt stands."""

    def __init__(self, **gate) -> None:
        self.clock = VirtualClock()
        self.pins = TwinFactory(self.clock)
        self.line = Line.model_validate(
            {
                "encoder": {"a": BELT, "b": 6},
                "trigger": {"sensor": {"pin": 4}},
                "gate": [{"output": {"pin": GATE, "read_back": {"pin": CONTACT}}, **gate}],
                "permit": {"output": {"pin": 27}},
                "handshake": {"lamp_red": {"pin": LAMP}},
            }
        )
        self.io = open_line(self.line, self.clock, self.pins)
        self.book = Book()
        self.station = Station(
            line=self.line,
            recipe=Recipe(),
            clock=self.clock,
            stopwatch=self.clock,
            io=self.io,
            encoder=self.io.encoder,
            cameras={"top": Eye()},
            judge=Mind(),
            recorder=self.book,
            tracker=Tracker(self.line, Opening(lot="L")),
        )
        self.levels = {GATE: [], LAMP: []}
        self.has_contact = True
        self.station.start()
        self.station.stop("Ada")
        self.rest(1500)
        for each in self.levels.values():
            each.clear()

    def rest(self, ms: int) -> None:
        for _ in range(ms):
            self.clock.advance_to(self.clock.now_ns() + NS_PER_MS)
            self.station.step()
            self.note()

    def note(self) -> None:
        for pin, seen in self.levels.items():
            if not seen or seen[-1][0] != self.pins.level(pin):
                seen.append((self.pins.level(pin), self.clock.now_ns() // NS_PER_MS))
        self.pins.drive(CONTACT, self.has_contact and self.pins.level(GATE))

    def pulse(self, output: str, pulse_ms: int) -> int:
        """Gives the time, in ms."""
        self.station.pulse(PulseWish(output, pulse_ms, "Ada", "technician", "wires"))
        self.note()
        return self.clock.now_ns() // NS_PER_MS

    @property
    def causes(self) -> list[str]:
        return [each.cause for each in self.station.status().latches]

    @property
    def told(self) -> list:
        return [event.data["result"] for event in self.book.ledger if event.kind is EventKind.PULSE]


@pytest.fixture
def cabinet():
    made = []

    def build(**gate):
        made.append(Cabinet(**gate))
        return made[-1]

    yield build
    for each in made:
        each.station.close()
        each.pins.close()


@pytest.mark.parametrize("kind", ["diverter", "pusher", "air"])
def test_pin_of_a_gate_changes_for_just_so_long_and_nothing_faults(cabinet, kind) -> None:
    box = cabinet(kind=kind)
    causes = box.causes
    before = box.pins.level(GATE)
    began = box.pulse("gate:reject", 200)
    box.rest(400)

    assert box.levels[GATE] == [(not before, began), (before, began + 200)]
    assert (box.told, box.causes) == (["STARTED"], causes)


def test_longest_pulse_of_a_pusher_ends_before_the_limit_of_its_coil(cabinet) -> None:
    box = cabinet(kind="pusher", max_on_ms=150)
    causes = box.causes
    began = box.pulse("gate:reject", 140)
    box.rest(200)

    assert box.levels[GATE] == [(True, began), (False, began + 140)]
    assert box.causes == causes


def test_lamp_goes_out_for_just_so_long(cabinet) -> None:
    box = cabinet(kind="diverter")
    assert box.pins.level(LAMP)
    began = box.pulse("lamp_red", 1000)
    box.rest(1100)

    [(_, gone), (_, back)] = box.levels[LAMP]
    assert (gone, box.levels[LAMP][-1][0]) == (began, True)
    assert 1000 <= back - began <= 1020


def test_gate_whose_contact_does_not_follow_a_pulse_latches_a_stop_and_goes_off_at_once(cabinet) -> None:
    box = cabinet(kind="pusher")
    box.has_contact = False
    began = box.pulse("gate:reject", 300)
    box.rest(400)

    assert box.causes[-1] == "OUTPUT_FAULT"
    assert box.told == ["STARTED", "CUT_SHORT"]
    [(_, on), (_, off)] = box.levels[GATE]
    assert (on, off < began + 30) == (began, True)


def test_first_edge_of_the_encoder_ends_a_pulse(cabinet) -> None:
    box = cabinet(kind="pusher")
    began = box.pulse("gate:reject", 300)
    box.rest(50)
    box.pins.drive(BELT, False)
    box.rest(2)

    assert box.levels[GATE][-1] == (False, began + 51)
    assert box.told == ["STARTED", "CUT_SHORT"]
