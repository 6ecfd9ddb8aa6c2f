"""An edge counts when it lasts, and is dated to where it began."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.reject.debounce import Debounce, RawEdge

MS = 1_000_000


def on(at_ns, count=0):
    return RawEdge(True, at_ns, count)


def off(at_ns, count=0):
    return RawEdge(False, at_ns, count)


def test_edge_is_confirmed_when_the_level_has_held_for_the_debounce_time():
    debounce = Debounce(5 * MS)
    edge = on(1 * MS, count=42)

    assert debounce.push(edge) is None
    assert debounce.settle(6 * MS - 1) is None
    assert not debounce.is_active
    assert debounce.settle(6 * MS) == edge
    assert debounce.is_active


def test_edge_is_confirmed_once():
    debounce = Debounce(5 * MS)
    debounce.push(on(0))
    debounce.settle(5 * MS)

    assert debounce.settle(9 * MS) is None


def test_glitch_shorter_than_the_debounce_time_is_dropped_and_counted():
    debounce = Debounce(5 * MS)
    debounce.push(on(0))
    debounce.push(off(5 * MS - 1))

    assert debounce.settle(20 * MS) is None
    assert not debounce.is_active
    assert debounce.glitches == 1


def test_pulse_as_long_as_the_debounce_time_is_no_glitch():
    debounce = Debounce(5 * MS)
    debounce.push(on(0))

    assert debounce.push(off(5 * MS)) == on(0)
    assert debounce.settle(10 * MS) == off(5 * MS)
    assert debounce.glitches == 0


def test_bouncing_edge_carries_time_and_count_of_its_first_contact():
    debounce = Debounce(5 * MS)
    for edge in (on(0, count=100), off(1 * MS, count=101), on(2 * MS, count=102)):
        debounce.push(edge)

    assert debounce.settle(7 * MS - 1) is None
    assert debounce.settle(7 * MS) == on(0, count=100)
    assert debounce.glitches == 0


def test_edge_after_a_glitch_that_died_away_is_dated_by_itself():
    debounce = Debounce(5 * MS)
    debounce.push(on(0))
    debounce.push(off(1 * MS))
    debounce.push(on(6 * MS, count=9))

    assert debounce.settle(11 * MS) == on(6 * MS, count=9)
    assert debounce.glitches == 1


def test_glitches_are_counted_each():
    debounce = Debounce(5 * MS)
    for at_ns in (0, 20 * MS, 40 * MS):
        debounce.push(on(at_ns))
        debounce.push(off(at_ns + 1))
    debounce.settle(60 * MS)

    assert debounce.glitches == 3


def test_raw_edge_to_the_present_level_is_no_change():
    debounce = Debounce(5 * MS)
    debounce.push(on(0))
    debounce.push(on(4 * MS, count=7))

    assert debounce.settle(5 * MS) == on(0)


def test_due_time_is_when_the_pending_edge_is_confirmed():
    debounce = Debounce(5 * MS)
    debounce.push(on(0))
    debounce.push(off(1 * MS))
    debounce.push(on(2 * MS))

    assert debounce.due_ns() == 7 * MS


def test_nothing_is_due_while_the_input_rests():
    debounce = Debounce(5 * MS)
    at_start = debounce.due_ns()
    debounce.push(on(0))
    debounce.settle(5 * MS)
    after_edge = debounce.due_ns()
    debounce.push(off(20 * MS))
    debounce.push(on(21 * MS))
    after_return = debounce.due_ns()

    assert (at_start, after_edge, after_return) == (None, None, None)


def test_level_at_the_start_makes_no_edge():
    debounce = Debounce(0, is_active=True)

    assert debounce.is_active
    assert debounce.push(on(0)) is None
    assert debounce.settle(1) is None


def test_without_debounce_time_every_change_passes_at_once():
    debounce = Debounce(0)
    edges = [on(0, 1), off(0, 1), on(1, 2), off(2, 2)]

    assert [debounce.push(edge) for edge in edges] == edges
    assert debounce.glitches == 0


@st.composite
def raw_edges(draw):
    gaps = draw(st.lists(st.integers(0, 3 * MS), max_size=40))
    levels = draw(st.lists(st.booleans(), min_size=len(gaps), max_size=len(gaps)))
    at_ns, edges = 0, []
    for index, (gap, level) in enumerate(zip(gaps, levels, strict=True)):
        at_ns += gap
        edges.append(RawEdge(level, at_ns, index))
    return edges


def run(edges, debounce_ns, *, asks_when_due):
    debounce = Debounce(debounce_ns)
    confirmed = []
    for edge in edges:
        due_ns = debounce.due_ns()
        if asks_when_due and due_ns is not None and due_ns <= edge.at_ns:
            confirmed.append(debounce.settle(due_ns))
        confirmed.append(debounce.push(edge))
    confirmed.append(debounce.settle(10**15))
    return [edge for edge in confirmed if edge], debounce


def changes(edges):
    """The raw edges that change the level, from inactive."""
    level, found = False, []
    for edge in edges:
        if edge.is_active != level:
            level = edge.is_active
            found.append(edge)
    return found


def bursts(edges, debounce_ns):
    """The definition in other words: split the changes wherever the input rested long enough."""
    groups = []
    for edge in changes(edges):
        if groups and edge.at_ns - groups[-1][-1].at_ns < debounce_ns:
            groups[-1].append(edge)
        else:
            groups.append([edge])
    return groups


@given(edges=raw_edges(), debounce_ns=st.integers(0, 4 * MS))
def test_confirmed_edges_are_the_first_of_bursts_that_end_in_the_other_level(edges, debounce_ns):
    confirmed, debounce = run(edges, debounce_ns, asks_when_due=False)
    groups = bursts(edges, debounce_ns)

    assert confirmed == [group[0] for group in groups if len(group) % 2]
    assert debounce.glitches == sum(len(group) % 2 == 0 for group in groups)


@given(edges=raw_edges(), debounce_ns=st.integers(0, 4 * MS))
def test_confirmed_edges_alternate_and_end_in_the_level_that_the_input_has(edges, debounce_ns):
    confirmed, debounce = run(edges, debounce_ns, asks_when_due=False)

    assert all(first.is_active != second.is_active for first, second in pairwise(confirmed))
    assert debounce.is_active == (edges[-1].is_active if edges else False)


@given(edges=raw_edges(), debounce_ns=st.integers(0, 4 * MS))
def test_it_makes_no_difference_how_often_it_is_asked(edges, debounce_ns):
    assert run(edges, debounce_ns, asks_when_due=True)[0] == run(edges, debounce_ns, asks_when_due=False)[0]
