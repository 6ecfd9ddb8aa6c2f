"""Sentences of a verdict and the boxes they are about."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.decide import decide, reject
from app.recipe import ClassRule, Recipe
from app.types import Detection, Reason
from app.web.findings import boxes_of, findings_of

RECIPE = Recipe(classes={"scratch": ClassRule(policy="flag")})


def words(verdict):
    """Text and reasons as the ledger carries them."""
    text = "; ".join(each.text for each in verdict.findings)
    return text, " ".join(sorted({each.reason.value for each in verdict.findings}))


def test_every_sentence_that_is_decided_can_be_taken_apart():
    detections = [
        Detection("short", 0.91, (312.4, 88.6, 40.2, 22.0)),
        Detection("pin-hole", 0.30, (10, 20, 5, 6)),
        Detection("scratch", 0.80, (1, 2, 3, 4)),
    ]

    found = findings_of(*words(decide(1, detections, RECIPE, 0)))

    assert [(each.kind, each.label, each.score) for each in found] == [
        ("DEFECT", "short", 0.91),
        ("FLAGGED", "scratch", 0.80),
        ("FLAGGED", "pin-hole", 0.30),
    ]
    assert found[0].place_px == (312, 89, 40, 22)


@given(
    st.text("abcdefghij -_.0123456789", min_size=1, max_size=20),
    st.floats(0.4, 0.99),
    st.tuples(st.floats(0, 4000), st.floats(0, 4000), st.floats(1, 500), st.floats(1, 500)),
)
def test_any_box_is_found_again_by_its_sentence(label, score, box_px):
    detection = Detection(label, score, box_px)
    found = findings_of(*words(decide(1, [detection], Recipe(), 0)))
    told = [[label, round(score, 5), *(round(each, 2) for each in box_px)]]

    boxes = [box.as_json(found) for box in boxes_of(json.dumps(told))]

    assert [box["kind"] for box in boxes] == ["DEFECT"]


def test_reason_without_a_box_keeps_its_words():
    verdict = reject(1, Reason.NO_FRAME, "no frame within 40 ms; camera top", "reject", 0)

    (finding,) = findings_of(*words(verdict))

    assert (finding.kind, finding.text, finding.label) == ("NO_FRAME", "no frame within 40 ms; camera top", "")


def test_pass_has_no_findings():
    assert findings_of("", "") == ()


def test_box_below_its_threshold_has_no_kind():
    (box,) = boxes_of('[["spur", 0.2, 1, 2, 3, 4]]')

    assert box.as_json(())["kind"] == ""


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        7,
        "",
        "{",
        "{}",
        "7",
        '[["a"]]',
        '[["a", "b", 1, 2, 3, 4]]',
        '[["a", NaN, 1, 2, 3, 4]]',
        "[[1, 2, 3, 4, 5, 6]]",
        "[null]",
    ],
)
def test_detections_that_cannot_be_read_are_none(garbage):
    assert boxes_of(garbage) == ()
