import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.record.chain import GENESIS, Segment, SegmentCheck, content_of, link, seal_of

FIELDS = ("row", "epoch", "sequence", "at_ns", "wall_us", "part_id", "count", "kind", "data")
integers = st.integers(-(2**63), 2**63 - 1)
rows = st.tuples(
    integers,
    integers,
    integers,
    integers,
    integers,
    st.none() | integers,
    integers,
    st.sampled_from([b"TRIGGER", b"OUTCOME", b"GATE_ON"]),
    st.binary(max_size=20),
)


def chained(count, lane=1, prior=GENESIS, first=1):
    """So many rows as they are stored."""
    found = []
    for row in range(first, first + count):
        fields = (row, 1, row - 1, 10 * row, 20 * row, None if row % 2 else row, 4 * row, b"FRAME", b'{"a":1}')
        prior = link(prior, content_of(lane, fields))
        found.append((*fields, prior))
    return found


def checked(stored, segment=None, head_row=None):
    check = SegmentCheck(segment or Segment(1, 1, 1, GENESIS, 0))
    intact = chained(head_row or len(stored))
    return check.take(stored) + check.finish(len(intact), intact[-1][-1])


def test_the_hash_of_a_row_is_what_the_description_says():
    fields = (7, 1, 6, 70, 140, None, 28, b"FRAME", b'{"a":1}')

    expected = hashlib.sha256(GENESIS + b'2|7|1|6|70|140|None|28|FRAME|{"a":1}').digest()

    assert link(GENESIS, content_of(2, fields)) == expected


@given(rows, rows)
def test_rows_that_differ_have_different_bytes(one, other):
    assert (content_of(1, one) == content_of(1, other)) == (one == other)


def test_rows_as_recorded_have_no_problem():
    assert checked(chained(10)) == []


@given(st.integers(0, 9), st.sampled_from(range(1, 10)), st.integers(0, 255))
def test_one_changed_field_is_one_problem_at_its_row(row, field, mask):
    stored = chained(10)
    value = stored[row][field]
    changed = bytes([value[0] ^ (mask or 1), *value[1:]]) if isinstance(value, bytes) else (value or 0) ^ (mask or 1)
    stored[row] = (*stored[row][:field], changed, *stored[row][field + 1 :])

    problems = checked(stored)

    assert [each.row for each in problems] == [row + 1]


@pytest.mark.parametrize("value", ["7", 7.5, b"7"])
def test_a_number_that_became_something_else_is_found(value):
    stored = chained(3)
    stored[1] = (*stored[1][:6], value, *stored[1][7:])

    assert [each.row for each in checked(stored)] == [2]


@pytest.mark.parametrize("value", [None, 3, "text"])
def test_details_that_are_no_text_any_more_are_found(value):
    stored = chained(3)
    stored[1] = (*stored[1][:8], value, stored[1][9])

    assert [each.row for each in checked(stored)] == [2]


def test_a_deleted_row_is_missing():
    stored = chained(10)
    del stored[4]

    (problem,) = checked(stored, head_row=10)

    assert (problem.segment, problem.row, problem.what) == (1, 5, "it is missing")


def test_deleted_rows_are_missing_from_the_first_on():
    stored = chained(10)
    del stored[4:8]

    (problem,) = checked(stored, head_row=10)

    assert problem.what == "it and all up to row 8 are missing"


def test_rows_that_changed_places_are_found_at_the_first():
    stored = chained(10)
    contents = [(each[0], *stored[7 - each[0]][1:]) if each[0] in (3, 4) else each for each in stored]

    assert next(iter(checked(contents))).row == 3


def test_rows_renumbered_over_a_deleted_one_are_found():
    stored = chained(10)
    closed_up = stored[:4] + [(row - 1, *rest) for row, *rest in stored[5:]]

    assert next(iter(checked(closed_up, head_row=10))).row == 5


def test_a_cut_off_end_is_missing():
    (problem,) = checked(chained(7), head_row=10)

    assert problem.what == "it and all up to row 10 are missing"


def test_a_row_added_behind_the_end_is_found():
    check = SegmentCheck(Segment(1, 1, 1, GENESIS, 0))
    stored = chained(11)

    problems = check.take(stored) + check.finish(10, stored[9][-1])

    assert [each.row for each in problems] == [11]


def test_a_row_that_no_integer_numbers_is_found():
    stored = chained(5)
    stored.insert(3, (3.5, *stored[2][1:]))

    assert [each.row for each in checked(stored, head_row=5)] == [4]


def sealed(count=5):
    stored = chained(count)
    segment = Segment(1, 1, 1, GENESIS, 100, count, count, stored[-1][-1], 200)
    return replace(segment, seal=seal_of(segment)), stored


def test_a_sealed_segment_agrees_with_its_rows():
    segment, stored = sealed()
    check = SegmentCheck(segment)

    assert check.take(stored) + check.finish_seal() == []


@pytest.mark.parametrize(
    "change",
    [
        {"opened_us": 101},
        {"sealed_us": 201},
        {"rows": 6},
        {"last_row": 4},
        {"last_row": None},
        {"head": bytes(32)},
        {"seal": bytes(32)},
        {"sealed_us": None},
    ],
)
def test_a_changed_seal_is_found(change):
    segment, stored = sealed()
    check = SegmentCheck(replace(segment, **change))

    assert check.take(stored) + check.finish_seal() != []
