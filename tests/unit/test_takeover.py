"""What a starting station takes over: nothing that was on the belt is forgotten, wherever the record of it lies."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from app.bus.block import BlockWriter
from app.bus.events import encode_event
from app.bus.place import Place
from app.bus.ring import RingReader, RingWriter
from app.record.ledger import Ledger
from app.status import State, Status, encode_status
from app.takeover import take_over
from app.types import EventKind, LedgerEvent, Tally
from tests.unit.reject.rig import settings

LINE = settings(permit={"output": {"pin": 27}, "hold_ms": 100})
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def events(*, epoch: int = 1, outcome: str | None = None) -> list[LedgerEvent]:
    """A station starts and one part comes; it is judged to pass, and perhaps settled."""
    told = [
        (EventKind.STARTED, None, {"lot": "L1"}),
        (EventKind.LOT_OPENED, None, {"lot": "L1"}),
        (EventKind.TRIGGER, 1, {"lot": "L1", "trigger_count": 1000, "trigger_ns": 0, "serial": None}),
        (
            EventKind.VERDICT,
            1,
            {"destination": "pass", "route": "pass", "reasons": "", "text": "", "is_flagged": False},
        ),
    ]
    if outcome:
        said = {"outcome": outcome, "confirmation": "SEEN", "destination": "pass", "reason": ""}
        told.append((EventKind.OUTCOME, 1, said))
    return [LedgerEvent(1, epoch, n, n, kind, part, 1000 + n, data) for n, (kind, part, data) in enumerate(told)]


def status(count: int, speed_mm_s: float, *, epoch: int = 1) -> Status:
    tally = Tally(triggers=1, in_flight=1)
    return Status(
        State.RUNNING, "", 0, 0, tally, "L1", epoch=epoch, count=count, speed_mm_s=speed_mm_s, is_permitted=True
    )


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "bus")


def record(tmp_path, told) -> None:
    ledger = Ledger.open(tmp_path / "ledger")
    ledger.append(told, NOW)
    ledger.close()


def test_first_start_takes_nothing_over(place, tmp_path) -> None:
    opening = take_over(LINE, place, tmp_path / "ledger")
    assert (opening.epoch, opening.lot, dict(opening.tallies), opening.orphans) == (1, "L1", {}, ())


def test_settled_parts_are_carried_in_the_account_only(place, tmp_path) -> None:
    record(tmp_path, events(outcome="PASSED"))
    opening = take_over(LINE, place, tmp_path / "ledger")
    assert (opening.epoch, opening.lot, opening.orphans) == (2, "L1", ())
    assert opening.tallies["L1"] == Tally(triggers=1, passed=1)


@pytest.mark.parametrize("committed", range(5))
def test_orphan_is_found_wherever_its_events_lie(place, tmp_path, committed) -> None:
    told = events()
    record(tmp_path, told[:committed])
    ring = RingWriter(place.ring(1), 1 << 16)
    ring.write_many([encode_event(each) for each in told])
    keeper = RingReader(place.ring(1), keeper=True, name="recorder")
    keeper.read(max(0, committed - 1))  # the last of them was committed to the ledger, and the keeper died then
    keeper.commit()
    opening = take_over(LINE, place, tmp_path / "ledger")
    assert [(each.epoch, each.part_id, each.lot, each.is_good) for each in opening.orphans] == [(1, 1, "L1", True)]
    assert opening.tallies["L1"] == Tally(triggers=1, in_flight=1)
    assert opening.epoch == 2


def test_orphan_may_have_come_as_far_as_the_belt_ran_unseen(place, tmp_path) -> None:
    record(tmp_path, events())
    BlockWriter(place.status(1), 8192).write(encode_status(status(1200, 500.0)))
    orphan = take_over(LINE, place, tmp_path / "ledger").orphans[0]
    # 200 counts seen; then 500 mm/s and a fifth more for 100 ms of silence and 100 ms of relay, and 100 mm of coasting
    assert orphan.farthest_counts == 200 + round(2 * (600 * 0.2 + 100))


@pytest.mark.parametrize("of_epoch", [None, 7])
def test_nobody_knows_how_far_without_the_last_status(place, tmp_path, of_epoch) -> None:
    record(tmp_path, events())
    if of_epoch:
        BlockWriter(place.status(1), 8192).write(encode_status(status(1200, 500.0, epoch=of_epoch)))
    assert take_over(LINE, place, tmp_path / "ledger").orphans[0].farthest_counts is None


def test_garbage_on_the_bus_is_as_good_as_nothing(place, tmp_path) -> None:
    record(tmp_path, events())
    for path in (place.status(1), place.ring(1)):
        path.write_bytes(b"garbage" * 2000)
    opening = take_over(LINE, place, tmp_path / "ledger")
    assert opening.orphans[0].farthest_counts is None
