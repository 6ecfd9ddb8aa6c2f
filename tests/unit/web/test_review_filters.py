"""Filters in an address: what makes sense, and what is said of the rest."""

from __future__ import annotations

import pytest

from app.errors import UsageError
from app.web.review.filters import QueueFilter, Wrong, cursor_of, cursor_text, read_filter


def test_an_address_without_filters_chooses_everything():
    assert read_filter({"lang": "de", "lot": ""}) == (QueueFilter(), ())


def test_a_filter_that_there_is_not_is_named():
    assert read_filter({"lott": "A", "lane": "1"}) == (QueueFilter(lane=1), (Wrong("lott", "A", is_known=False),))


def test_every_filter_is_read():
    chosen, wrong = read_filter(
        {
            "why": "reject",
            "class": "spur",
            "min_score": "0.4",
            "label": "none",
            "lane": "2",
            "lot": "A",
            "from": "2026-03-01T12:00Z",
        }
    )

    assert wrong == ()
    assert (chosen.why, chosen.class_name, chosen.min_score, chosen.label, chosen.lane) == (
        "reject",
        "spur",
        0.4,
        "none",
        2,
    )
    assert chosen.from_us == 1_772_366_400_000_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("why", "perhaps"),
        ("min_score", "1.5"),
        ("min_score", "nan"),
        ("label", "DROP TABLE"),
        ("from", "yesterday"),
        ("to", "0001-01-01"),
        ("to", "9999-12-31T23:59"),
        ("lane", "99999999999999999999"),
        ("lot", "x" * 201),
    ],
)
def test_what_makes_no_sense_is_named_and_left_out(name, value):
    chosen, wrong = read_filter({name: value, "class": "spur"})

    assert [each.name for each in wrong] == [name]
    assert chosen == QueueFilter.model_validate({"class": "spur"})


def test_a_place_in_the_queue_is_read_as_it_was_written():
    assert cursor_of(cursor_text((1_772_366_400_000_000, 1, 2, 3))) == (1_772_366_400_000_000, 1, 2, 3)


@pytest.mark.parametrize("text", ["", "1.2.3", "a.b.c.d"])
def test_no_place_in_the_queue_is_refused(text):
    with pytest.raises(UsageError, match="no place"):
        cursor_of(text)
