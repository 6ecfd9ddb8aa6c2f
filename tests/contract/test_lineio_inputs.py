"""What every `LineIO` does with its inputs, on every board there is."""

import pytest

from app.reject.gpio import QUEUE_EDGES
from app.reject.lineio import Edge
from tests.contract.lineio_bench import EXIT, MS, PART, RUNNING, VIRTUAL, A, B

# ---- inputs ----


@pytest.mark.parametrize("active_low", [False, True])
def test_edges_tell_input_state_time_and_count(bench, active_low):
    line = bench.open(part={"active_low": active_low})
    for at_ns, pin in ((1 * MS, A), (2 * MS, B)):
        bench.drive(pin, False, at_ns)
    bench.drive(PART, not active_low, 3 * MS)
    bench.drive(A, True, 4 * MS)
    bench.drive(PART, active_low, 5 * MS)

    assert list(line.edges()) == [Edge("part", True, 3 * MS, 2), Edge("part", False, 5 * MS, 3)]


@pytest.mark.parametrize("active_low", [False, True])
def test_open_input_reads_inactive(bench, active_low):
    line = bench.open(part={"active_low": active_low})

    assert not line.is_active("part")


def test_edges_are_told_once(bench):
    line = bench.open()
    bench.drive(PART, True, 1 * MS)
    line.edges()

    assert list(line.edges()) == []


def test_debounced_edge_comes_when_due_with_time_and_count_of_its_first_contact(bench):
    line = bench.open(part={"debounce_ms": 2})
    bench.drive(PART, True, 1 * MS)
    bench.drive(A, False, 1 * MS)
    bench.drive(PART, False, 1 * MS + 100_000)
    bench.drive(PART, True, 1 * MS + 200_000)
    line.tick(bench.at(2 * MS))
    due_ns = line.next_due_ns()
    too_early = list(line.edges())
    bench.at(due_ns)

    assert (due_ns, too_early) == (3 * MS + 200_000, [])
    assert list(line.edges()) == [Edge("part", True, 1 * MS, 0)]


def test_state_follows_the_debounced_edge(bench):
    line = bench.open(part={"debounce_ms": 2})
    bench.drive(PART, True, 1 * MS)
    line.tick(bench.at(2 * MS))
    before = line.is_active("part")
    line.tick(bench.at(3 * MS))

    assert (before, line.is_active("part")) == (False, True)


def test_glitches_make_no_edge_and_are_counted_by_input(bench):
    line = bench.open(part={"debounce_ms": 2})
    bench.drive(PART, True, 1 * MS)
    bench.drive(PART, False, 2 * MS)
    bench.at(9 * MS)

    assert list(line.edges()) == []
    assert line.glitches == {"part": 1}


def test_edges_of_different_inputs_come_oldest_first(bench):
    line = bench.open(part={"debounce_ms": 5}, exit={"sensor": {"pin": EXIT}})
    bench.drive(PART, True, 1 * MS)
    bench.drive(EXIT, True, 2 * MS)
    bench.at(6 * MS)

    assert [edge.input for edge in line.edges()] == ["part", "exit"]


def test_line_is_due_at_once_until_its_edges_are_fetched(bench):
    line = bench.open()
    bench.drive(PART, True, 5 * MS)
    raw_due_ns = line.next_due_ns()
    line.tick(bench.at(6 * MS))
    confirmed_due_ns = line.next_due_ns()
    line.edges()

    assert (raw_due_ns, confirmed_due_ns, line.next_due_ns()) == (5 * MS, 6 * MS, None)


@pytest.mark.parametrize("active_low", [False, True])
def test_input_that_is_active_at_the_start_makes_no_edge_but_says_so(bench, active_low):
    bench.board.drive(PART, not active_low)
    line = bench.open(part={"active_low": active_low})

    assert line.is_active("part")
    assert list(line.edges()) == []


@pytest.mark.parametrize("active_low", [False, True])
def test_input_that_was_active_at_the_start_makes_an_edge_when_it_ends(bench, active_low):
    bench.board.drive(PART, not active_low)
    line = bench.open(part={"active_low": active_low})
    bench.drive(PART, active_low, 1 * MS)

    assert list(line.edges()) == [Edge("part", False, 1 * MS, 0)]


def test_input_that_is_not_wired_is_inactive(bench):
    assert not bench.open().is_active("air_low")


def test_edges_that_find_the_queue_full_are_counted_and_reported(bench):
    line = bench.open()
    for at_ns in range(QUEUE_EDGES + 3):
        bench.drive(PART, at_ns % 2 == 0, at_ns)
    faults = line.tick(bench.clock.now_ns())

    assert line.lost_edges == 3
    assert faults == ["3 edges of inputs were lost, the queue was full; find a sensor that chatters"]
    assert line.tick(bench.clock.now_ns()) == []


def test_after_lost_edges_the_state_is_read_afresh(bench):
    line = bench.open()
    for at_ns in range(QUEUE_EDGES + 1):
        bench.drive(PART, at_ns % 2 == 0, at_ns)
    line.edges()
    line.tick(bench.clock.now_ns())

    assert line.is_active("part")


def test_confirmed_edges_that_nobody_fetches_are_bounded(bench):
    line = bench.open()
    for at_ns in range(3 * QUEUE_EDGES):
        bench.drive(PART, at_ns % 2 == 0, at_ns)
        line.tick(at_ns)

    assert line.lost_edges == QUEUE_EDGES


# ---- encoder ----


def test_virtual_encoder_is_fed_by_the_running_input_at_its_first_contact(bench):
    line = bench.open(**VIRTUAL)
    bench.drive(RUNNING, True, 10 * MS)
    bench.drive(PART, True, 110 * MS)
    bench.drive(PART, False, 150 * MS)
    bench.drive(RUNNING, False, 210 * MS)

    assert line.encoder.read(bench.at(900 * MS)).count == 200
    assert list(line.edges()) == [
        Edge("running", True, 10 * MS, 0),
        Edge("part", True, 110 * MS, 100),
        Edge("part", False, 150 * MS, 140),
        Edge("running", False, 210 * MS, 200),
    ]


def test_virtual_encoder_counts_on_a_belt_that_runs_when_the_line_is_opened(bench):
    bench.drive(RUNNING, True, 5 * MS)
    line = bench.open(**VIRTUAL)

    assert line.encoder.read(bench.at(105 * MS)).count == 100


def test_virtual_encoder_leaves_the_pins_of_a_real_one_alone(bench):
    line = bench.open(**{**VIRTUAL, "encoder": {**VIRTUAL["encoder"], "a": A, "b": B}})
    bench.drive(A, True, 1 * MS)

    assert line.encoder.read(1 * MS).count == 0
