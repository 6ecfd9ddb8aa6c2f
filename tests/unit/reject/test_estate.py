"""The parts that a dead station left on the belt: each gets its outcome, and none is passed in silence."""

from __future__ import annotations

import pytest

from app.clock import NS_PER_S
from app.errors import CommandRefusedError
from app.reject.lineio import BeltReading
from app.reject.tracking import Tracker
from app.types import EventKind, Opening, Orphan, Tally
from tests.unit.reject.rig import Rig, settings

BEFORE, BEYOND = 100, 900  # counts from the sensor; the gate is at 800


class Heir(Rig):
    """A station that starts after another one died with parts on the belt."""

    def __init__(self, *orphans: Orphan, kind: str = "diverter") -> None:
        super().__init__(settings(gate__kind=kind), is_ready=False)
        self.commands.clear()
        self.events.clear()
        self.count, self.now_ns = 0, NS_PER_S
        carried = {"L1": Tally(triggers=10 + len(orphans), passed=8, rejected=2)}
        self.tracker = Tracker(self.line, Opening(2, "L1", carried, orphans))
        self.tracker.start(BeltReading(0, self.now_ns), self.now_ns, version="1")
        self.take()


def orphan(farthest: int | None, *, is_good: bool = False, part_id: int = 7) -> Orphan:
    return Orphan(1, part_id, "L1", farthest, is_good)


def outcomes(rig: Rig) -> list[tuple]:
    return [
        (e.part_id, e.data["of_epoch"], e.data["outcome"], e.data["confirmation"]) for e in rig.of(EventKind.OUTCOME)
    ]


def test_account_goes_on_where_the_dead_station_left_it() -> None:
    rig = Heir(orphan(BEFORE))
    assert rig.tracker.tally == Tally(triggers=11, passed=8, rejected=2, in_flight=1)
    assert rig.of(EventKind.LOT_OPENED) == []
    assert rig.of(EventKind.STARTED)[0].data["version"] == "1"
    assert rig.of(EventKind.STARTED)[0].epoch == 2


def test_part_before_the_gate_is_rejected_by_the_purge() -> None:
    rig = Heir(orphan(BEFORE))
    assert outcomes(rig) == []
    rig.move(520)
    assert outcomes(rig) == [(7, 1, "REJECTED", "UNCONFIRMED")]
    assert rig.tracker.tally == Tally(triggers=11, passed=8, rejected=3)
    assert rig.causes == []


def test_good_part_that_may_have_passed_the_gate_is_lost_from_sight() -> None:
    rig = Heir(orphan(BEYOND, is_good=True))
    assert outcomes(rig) == [(7, 1, "LOST", "MISSING")]
    assert rig.tracker.tally.is_balanced
    assert rig.causes == []


@pytest.mark.parametrize("farthest", [BEYOND, None])
def test_part_not_known_to_be_good_that_may_have_passed_the_gate_stops_the_line(farthest) -> None:
    rig = Heir(orphan(farthest))
    assert rig.causes == ["NOT_CLEARED"]
    assert "part 7 of epoch 1" in rig.tracker.latches[0].text
    assert True not in rig.permits
    rig.tracker.reset("Ada", "lead", "looked as far as the exit", is_cleared=True)
    rig.take()
    assert outcomes(rig) == [(7, 1, "REJECTED", "BY_HAND")]
    assert rig.tracker.tally.is_balanced


def test_pusher_line_waits_for_a_person_who_takes_the_orphans_away() -> None:
    rig = Heir(orphan(BEFORE), orphan(BEFORE, part_id=8), kind="pusher")
    assert rig.tracker.tally.in_flight == 2
    with pytest.raises(CommandRefusedError, match="cannot purge"):
        rig.tracker.reset("Ada", "lead", "restarted")
    rig.tracker.reset("Ada", "lead", "restarted", is_cleared=True)
    rig.take()
    assert [each[0] for each in outcomes(rig)] == [7, 8]
    assert rig.tracker.tally.in_flight == 0


def test_orphans_of_an_earlier_lot_are_counted_there() -> None:
    rig = Heir()
    carried = {"L0": Tally(triggers=1), "L1": Tally()}
    tracker = Tracker(rig.line, Opening(2, "L1", carried, (Orphan(1, 9, "L0", BEYOND, is_good=True),)))
    tracker.start(BeltReading(0, 0), 0)
    tracker.close_lot("L0", "Ada", "lost at the restart")
    closed = [event for event in tracker.take_events() if event.kind is EventKind.LOT_CLOSED]
    assert closed[0].data["triggers"] == 1
    assert closed[0].data["lost"] == 1


def test_purge_at_a_persons_wish_rejects_what_is_on_the_belt() -> None:
    rig = Rig()
    rig.part()
    rig.tracker.purge("Ada")
    rig.take()
    assert rig.reasons == ["PURGED"]
    assert rig.of(EventKind.PURGE_STARTED)[0].data["by"] == "Ada"
    assert rig.tracker.state.value == "PURGING"


def test_purge_is_refused_by_a_pusher_and_by_a_stopped_line() -> None:
    rig = Heir(kind="pusher")
    with pytest.raises(CommandRefusedError, match="stopped"):
        rig.tracker.purge("Ada")
    rig.tracker.reset("Ada", "lead", "start", is_cleared=True)
    with pytest.raises(CommandRefusedError, match="cannot purge"):
        rig.tracker.purge("Ada")


def test_full_ledger_stops_the_line_until_it_has_room_again() -> None:
    rig = Rig()
    rig.tracker.ledger(is_full=True)
    assert rig.causes == ["LEDGER_FULL"]
    with pytest.raises(CommandRefusedError, match="still present"):
        rig.tracker.reset("Ada", "lead", "go on")
    rig.tracker.ledger(is_full=False)
    rig.tracker.reset("Ada", "lead", "go on")
    assert rig.causes == []


def test_lost_camera_rejects_the_parts_that_wait_for_it() -> None:
    rig = Rig()
    at = rig.part()
    rig.move_to(at, 151)
    rig.tracker.camera_restarted("top")
    rig.take()
    assert rig.reasons == ["NO_FRAME"]
