"""A belt without end: parts come as it moves, go when they have left it, and are counted all the same."""

import tracemalloc

import numpy as np
import pytest
from workshop import GATE_MM, LEAD_MM, LENGTH_MM, Pieces, Workshop, line

from app.clock import NS_PER_MS, VirtualClock
from app.errors import LineError
from app.twin.flow import BY_HAND, GOOD_BIN
from app.twin.machine import LAID_AHEAD_MM, RETIRED_AT_ONCE, Machine
from app.twin.motion import Phase
from app.twin.parts import Piece, PooledParts, RenderedParts
from app.twin.pins import TwinFactory
from app.twin.scenario import Fault, FaultKind, Scenario
from app.twin.truth import Record
from app.types import Outcome

PITCH = 200.0


class Endless:
    """Parts without end; every tenth is bad."""

    def __getitem__(self, index):
        return Piece(f"part-{index}.png", index % 10 == 0, lambda: np.zeros((8, 8), np.uint8))


class Rolling(Workshop):
    """A workshop whose parts come as the belt moves."""

    def __init__(self, parts=None, *, recent=50, settings=None, seed=1, **scenario):
        super().__init__(1, settings=settings, **scenario)
        self.clock, self.seen = VirtualClock(), []
        self.factory = TwinFactory(self.clock)
        self.inputs.clear()
        self.machine = Machine(
            self.line, self.factory, self.clock, parts or Endless(), self.scenario, seed, recent=recent
        )
        for name, pin in {"part": 4, "exit": 24, "chute:reject": 23}.items():
            self._listen(name, pin)


def virtual(**changes):
    """A line whose twin has no encoder edges to make, and so runs a long way in a short time."""
    return line(encoder={"driver": "virtual", "speed_mm_s": 500, "counts_per_mm": 2}, **changes)


def test_parts_that_come_with_the_belt_make_the_same_world():
    jitters = {"pitch_jitter_mm": 20.0, "speed_jitter": 0.02, "seed": 5}
    faults = (
        Fault(FaultKind.TOUCHING, at_part=30),
        Fault(FaultKind.PART_GLITCH, at_part=55),
        Fault(FaultKind.PART_TAKEN, at_part=60),
    )
    whole = Workshop(70, bad=range(0, 70, 7), faults=faults, **jitters)
    rolling = Rolling(Pieces(70, range(0, 70, 7)), recent=100, faults=faults, **jitters)
    whole.run_to_end()
    rolling.run_to_end()

    names = ("part", "exit", "chute:reject")
    assert [each for each in rolling.seen if each[0] in names] == [each for each in whole.seen if each[0] in names]
    assert rolling.machine.truth().parts == whole.machine.truth().parts
    assert rolling.machine.counts() == whole.machine.counts()


def test_belt_of_parts_without_end_is_never_done_and_holds_few_of_them():
    shop = Rolling(settings=virtual(), pitch_mm=100.0)
    most = 0
    for at_mm in range(0, 100_000, 5_000):
        shop.run_to_mm(at_mm)
        most = max(most, len(shop.machine.bodies))
    reach_mm = LAID_AHEAD_MM + 600 + LENGTH_MM

    assert not shop.machine.is_done
    assert most < reach_mm / 100 + 2 * RETIRED_AT_ONCE


def test_memory_is_flat_over_thousands_of_parts():
    shop = Rolling(settings=virtual(), pitch_mm=100.0, recent=100)

    def run_to(belt_mm):
        while shop.machine.belt_mm < belt_mm:
            shop.machine.run(shop.clock.now_ns() + 1000 * NS_PER_MS)
            shop.seen.clear()

    run_to(50_000)
    tracemalloc.start()
    run_to(100_000)
    before = tracemalloc.get_traced_memory()[0]
    run_to(600_000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert shop.machine.counts().parts > 5_900
    assert grown < 20_000


def test_every_part_is_counted_and_the_last_ones_are_known():
    shop = Rolling(pitch_mm=100.0, recent=20)
    shop.run_to_mm(LEAD_MM + 100 * 100.0 - 1)
    counts, parts = shop.machine.counts(), shop.machine.truth().parts

    assert (counts.parts, counts.bad) == (100, 10)
    assert sum(counts.places.values()) == 100
    assert counts.escapes == sum(part.is_bad for part in parts if part.place == GOOD_BIN) + (
        10 - sum(part.is_bad for part in parts)
    )
    assert [part.index for part in parts] == list(range(parts[0].index, 100))
    assert 20 <= len(parts) < 20 + 8 + RETIRED_AT_ONCE


def test_ledger_is_compared_from_the_first_part_that_is_known():
    shop = Rolling(pitch_mm=100.0, recent=20)
    shop.run_to_mm(LEAD_MM + 100 * 100.0 - 1)
    truth = shop.machine.truth()
    counts = [round(2 * (LEAD_MM + 100 * index)) for index in range(100)]
    records = [Record(count, Outcome.LOST) for count in counts]

    assert truth.compare(records).unaccounted == 0
    assert truth.compare(records[:-1]).unaccounted == 1
    assert truth.compare([*records, Record(counts[-1] + 90, Outcome.LOST)]).unaccounted == 1


def test_finite_run_that_is_not_forgotten_is_compared_as_a_whole():
    shop = Rolling(Pieces(3), recent=50)
    shop.run_to_end()

    assert shop.machine.truth().compare([Record(7, Outcome.LOST)]).unaccounted == 4


def test_belt_that_runs_back_over_parts_that_are_forgotten_goes_on_rightly():
    back = (Phase(500, 15_000, 1e6), Phase(-500, 6_000, 1e6), Phase(500, None, 1e6))
    shop = Rolling(pitch_mm=100.0, phases=back)
    shop.run_to_ms(30_000)
    exits = shop.times("exit")

    assert shop.machine.bodies[0].index > 0
    assert max(exits) > 8_500
    indexes = [part.index for part in shop.machine.truth().parts]
    assert indexes == sorted(indexes)
    assert shop.machine.counts().parts == indexes[-1] + 1


def test_part_that_is_dropped_on_an_endless_belt_is_known_by_a_number_below_zero():
    shop = Rolling()
    shop.run_to_mm(LEAD_MM + LENGTH_MM + 100)
    assert shop.machine.drop(Piece("stray.png", is_bad=True, load=lambda: None))
    shop.run_to_mm(2_000)

    assert [(part.index, part.place) for part in shop.machine.truth().parts if part.is_dropped] == [(-1, GOOD_BIN)]


def test_fault_of_a_part_that_is_not_laid_yet_befalls_it():
    shop = Rolling(faults=(Fault(FaultKind.PART_TAKEN, at_part=60, amount=100.0),))
    shop.run_to_mm(LEAD_MM + 64 * PITCH)

    assert [part.index for part in shop.machine.truth().parts if part.place == BY_HAND] == [60]


# ---- what nobody planned


def test_fault_that_nobody_planned_begins_at_once_and_ends_when_it_is_mended():
    shop = Rolling()
    shop.run_to_mm(LEAD_MM + 50)
    shop.machine.befall(FaultKind.PART_DEAD)
    shop.run_to_mm(LEAD_MM + 3 * PITCH + 100)
    while_dead = len(shop.times("part"))
    shop.machine.mend(FaultKind.PART_DEAD)
    shop.run_to_mm(LEAD_MM + 5 * PITCH + 100)

    assert (while_dead, len(shop.times("part"))) == (1, 3)


def test_fault_that_lasts_for_a_time_ends_by_itself():
    shop = Rolling()
    shop.run_to_mm(LEAD_MM + 50)
    shop.machine.befall(FaultKind.PART_DEAD, duration_ms=1000)
    shop.run_to_mm(LEAD_MM + 5 * PITCH + 100)

    assert 2 < len(shop.times("part")) < 6


def test_part_that_is_taken_without_a_plan_is_the_next_one():
    shop = Rolling()
    shop.run_to_mm(LEAD_MM + 2.5 * PITCH)
    fault = shop.machine.befall(FaultKind.PART_TAKEN)
    shop.run_to_mm(LEAD_MM + 6 * PITCH)

    assert fault.at_part == 3
    assert [part.index for part in shop.machine.truth().parts if part.place == BY_HAND] == [3]


def test_parts_that_touch_without_a_plan_are_the_next_two():
    shop = Rolling()
    shop.run_to_mm(LEAD_MM + 1.5 * PITCH)
    shop.machine.befall(FaultKind.TOUCHING, amount=4.0)
    shop.run_to_mm(LEAD_MM + 5 * PITCH)
    starts = shop.times("part")

    assert starts[3] - starts[2] == pytest.approx(LENGTH_MM + 4, abs=1e-3)


def test_fault_of_a_picture_befalls_the_next_part_that_comes_to_the_sensor():
    shop = Rolling()
    shop.run_to_mm(LEAD_MM + 1.5 * PITCH)
    shop.machine.befall(FaultKind.FRAME_LOST)
    bodies = {body.index: body for body in shop.machine.bodies}

    assert shop.machine.picture_fault(bodies[1]) is None
    assert shop.machine.picture_fault(bodies[2]).kind is FaultKind.FRAME_LOST
    assert shop.machine.picture_fault(bodies[3]) is None


def test_fault_of_a_part_is_refused_where_none_is_to_come():
    shop = Rolling(Pieces(2))
    shop.run_to_mm(LEAD_MM + PITCH + 10)

    with pytest.raises(LineError, match="PART_TAKEN befalls parts that are yet to come"):
        shop.machine.befall(FaultKind.PART_TAKEN)


def test_gate_that_sticks_without_a_plan_lets_bad_parts_pass():
    shop = Rolling()
    shop.machine.befall(FaultKind.GATE_STUCK_OFF)
    shop.output(22).on()
    shop.run_to_mm(LEAD_MM + GATE_MM + 3 * PITCH)

    assert "reject" not in shop.machine.counts().places


def test_belt_takes_the_speed_that_it_is_given():
    shop = Rolling()
    shop.run_to_ms(1000)
    shop.machine.drive_at(250)
    shop.run_to_ms(3000)

    assert shop.machine.speed_mm_s == pytest.approx(250)


# ---- a pool of parts


def test_pool_gives_parts_without_end_and_the_same_ones_every_time():
    boards = RenderedParts(1, 8, 0.5)
    parts, again = (PooledParts(boards, defect_rate=0.2, seed=4) for _ in range(2))
    names = [parts[index].name for index in range(1000)]

    assert names == [again[index].name for index in range(1000)]
    assert set(names) == {boards[index].name for index in range(8)}
    assert 150 < sum(parts[index].is_bad for index in range(1000)) < 250


def test_pictures_of_a_pool_are_made_once():
    parts = PooledParts(RenderedParts(1, 2, 0.0))

    assert parts[3].image is parts[3].image


def test_pool_without_bad_parts_gives_good_ones_whatever_is_asked():
    parts = PooledParts(RenderedParts(1, 2, 0.0), defect_rate=1.0)

    assert not parts[0].is_bad


def test_scenario_without_parts_ahead_still_rolls():
    clock = VirtualClock()
    machine = Machine(line(), TwinFactory(clock), clock, Endless(), Scenario(pitch_mm=8000.0), recent=5)
    while machine.belt_mm < 50_000:
        machine.run(clock.now_ns() + 1000 * NS_PER_MS)

    assert machine.counts().parts == 7
