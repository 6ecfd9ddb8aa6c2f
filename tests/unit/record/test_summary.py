import pytest

from app.record.summary import OpenLot, Summary, replay
from app.types import Orphan, Tally
from tests.unit.record.station_events import EventKind, StationEvents


def summed(events, summary=None):
    summary = summary or Summary(1)
    for row, event in enumerate(events, 1):
        summary.fold(event, row, 1000 * row)
    return summary


def parts_of(summary):
    return {each["part_id"]: each for each in summary.take_changes()[0]}


def test_a_part_is_the_sum_of_its_events():
    events = StationEvents().run(1)

    part = parts_of(summed(events))[1]

    assert (part["lot"], part["verdict"], part["route"], part["outcome"]) == ("lot-1", "pass", "pass", "PASSED")
    assert (part["first_row"], part["last_row"], part["total_us"]) == (3, 7, 2400)


def test_the_slowest_frame_is_the_parts_time():
    station = StationEvents()
    events = [*station.start(), station.trigger(), station.judged(1, total_us=900), station.judged(1, total_us=400)]

    assert parts_of(summed(events))[1]["total_us"] == 900


def test_a_rerouted_part_is_sent_elsewhere_and_judged_as_before():
    station = StationEvents()
    events = [*station.start(), station.trigger(), station.verdict(1)]
    events.append(station.event(EventKind.REROUTED, 1, to="reject", reason="TOUCHING"))

    part = parts_of(summed(events))[1]

    assert (part["verdict"], part["route"]) == ("pass", "reject")


def test_a_late_serial_number_reaches_its_part():
    station = StationEvents()
    events = [*station.start(), station.trigger(), station.event(EventKind.SERIAL, 1, serial="SN-7")]

    assert parts_of(summed(events))[1]["serial"] == "SN-7"


def test_text_that_is_none_is_kept_readable():
    station = StationEvents(lot="lot\udcff")

    part = parts_of(summed([*station.start(), station.trigger()]))[1]

    assert part["lot"] == "lot\\udcff"


def test_an_outcome_of_an_earlier_epoch_settles_the_earlier_part():
    before, after = StationEvents(epoch=1), StationEvents(epoch=2)
    summary = summed([*before.start(), before.trigger()])
    settled = after.outcome(1, "REJECTED", "BY_HAND", of_epoch=1)

    summed([*after.start(is_first=False), settled], summary)

    assert summary.parts == {}
    assert {key["epoch"]: key["outcome"] for key in summary.take_changes()[0]} == {1: "REJECTED"}


def test_a_second_outcome_changes_no_account():
    station = StationEvents()
    events = [*station.run(1), station.outcome(1, "LOST")]

    (lot,) = summed(events).take_changes()[1]

    assert (lot["passed"], lot["lost"]) == (1, 0)


@pytest.mark.parametrize(
    ("epoch", "sequence", "words"),
    [
        (1, 7, ""),
        (2, 0, ""),
        (1, 9, "sequence 7 to 8 never came"),
        (2, 3, "sequence 0 to 2 never came"),
        (1, 2, "another event"),
        (0, 7, "epoch 0 after epoch 1"),
    ],
)
def test_what_is_missing_before_an_event_is_said(epoch, sequence, words):
    station = StationEvents()
    summary = summed(station.run(1))
    station.epoch, station.sequence = epoch, sequence

    gap = summary.gap(station.event(EventKind.ALARM))

    assert words in gap
    assert bool(words) == bool(gap)


# What a starting station takes over


def test_the_first_start_takes_over_nothing():
    opening = Summary(1).opening({}, {})

    assert (opening.epoch, opening.lot, opening.tallies, opening.orphans) == (1, "", {}, ())


def test_events_on_their_way_count_once():
    events = StationEvents().run(3)
    summary = summed(events[:9])
    lots = {"lot-1": OpenLot(Tally(2, 1, 0, 0), 2)}
    summary.take_changes()

    opening = replay(summary, events).opening(lots, {})

    assert (opening.epoch, opening.lot) == (2, "lot-1")
    assert opening.tallies == {"lot-1": Tally(3, 3, 0, 0, 0)}


def test_a_part_without_an_outcome_is_an_orphan():
    station = StationEvents()
    events = [*station.start(), station.trigger(), station.verdict(1), station.trigger(), station.verdict(2, "reject")]

    opening = summed(events).opening({}, {})

    assert opening.orphans == (Orphan(1, 1, "lot-1", None, True), Orphan(1, 2, "lot-1", None, False))
    assert opening.tallies["lot-1"] == Tally(2, 0, 0, 0, 2)


@pytest.mark.parametrize(("beyond", "expected"), [(999, 999), (-5, 4)])
def test_an_orphan_lies_no_farther_than_the_belt_can_have_come(beyond, expected):
    station = StationEvents()
    events = [*station.start(), station.trigger(), station.verdict(1)]
    triggered = events[-2].count

    (orphan,) = summed(events).opening({}, {1: triggered + beyond}).orphans

    assert orphan.farthest_counts == expected


def test_a_part_that_was_rerouted_is_not_good():
    station = StationEvents()
    events = [*station.start(), station.trigger(), station.verdict(1)]
    events.append(station.event(EventKind.REROUTED, 1, to="reject", reason="TOUCHING"))

    assert not summed(events).opening({}, {}).orphans[0].is_good


def test_the_lot_opened_last_runs_and_closed_ones_are_not_taken_over():
    station = StationEvents(lot="a")
    events = station.start()
    events.append(station.event(EventKind.LOT_OPENED, lot="b"))
    events.append(station.event(EventKind.LOT_CLOSED, lot="a"))

    opening = summed(events).opening({}, {})

    assert (opening.lot, set(opening.tallies)) == ("b", {"b"})
