from app.clock import NS_PER_MS
from app.reject.lineio import BeltReading
from app.reject.trail import SAMPLES, Trail

MS = NS_PER_MS


def walked(*places):
    trail = Trail()
    trail.start(BeltReading(*places[0]))
    for count, at_ns in places[1:]:
        trail.keep(BeltReading(count, at_ns))
    return trail, BeltReading(*places[-1])


def test_place_between_two_readings_is_interpolated():
    trail, newest = walked((0, 0), (10, 10 * MS), (30, 20 * MS))

    assert trail.at(5 * MS, newest, 0.0) == 5
    assert trail.at(15 * MS, newest, 0.0) == 20


def test_belt_that_turned_round_was_where_it_was():
    trail, newest = walked((0, 0), (100, 10 * MS), (40, 20 * MS))

    assert trail.at(10 * MS, newest, 0.0) == 100
    assert trail.at(15 * MS, newest, 0.0) == 70


def test_time_after_the_last_count_is_reckoned_by_the_speed_but_not_for_long():
    trail, newest = walked((0, 0), (10, 10 * MS))

    assert trail.at(20 * MS, newest, 1000.0) == 20
    assert trail.at(10_000 * MS, newest, 1000.0) == 60


def test_before_the_first_reading_the_belt_stood():
    trail, newest = walked((7, 10 * MS), (20, 20 * MS))

    assert trail.at(0, newest, 0.0) == 7


def test_readings_that_come_close_are_thinned_and_the_newest_still_counts():
    trail, newest = walked((0, 0), (1, MS // 2), (2, MS))

    assert trail.at(MS // 2, newest, 0.0) == 1
    assert trail.at(MS, newest, 0.0) == 2


def test_two_seconds_are_remembered_however_long_it_runs():
    trail = Trail()
    trail.start(BeltReading(0, 0))
    for step in range(1, 5 * SAMPLES):
        trail.keep(BeltReading(3 * step, 2 * step * MS))
    newest = BeltReading(3 * (5 * SAMPLES - 1), 2 * (5 * SAMPLES - 1) * MS)
    asked = 5 * SAMPLES - SAMPLES + 1

    assert trail.at(2 * asked * MS, newest, 0.0) == 3 * asked
    assert trail.at((2 * asked + 1) * MS, newest, 0.0) == 3 * asked + 1.5
