"""What people say of parts: versions, agreement, taking back, and the trail of it."""

from __future__ import annotations

import json

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.clock import NS_PER_S, VirtualClock
from app.web.access.audit import Audit, AuditFilter
from app.web.review.labels import LabelBox, LabelConflictError, LabelFilter, LabelKind, Labels, Said
from app.web.store import reviews
from app.web.store.database import Store
from app.web.store.tables import METADATA

PART = (1, 1, 7)
OTHER = (1, 1, 8)
DEFECT = Said(LabelKind.TRUE_DEFECT, "spur")
FALSE = Said(LabelKind.FALSE_REJECT)
BOX = LabelBox("top", 0, "spur", 10.5, 20.0, 30.0, 40.0)


@pytest.fixture
def clock():
    return VirtualClock(100 * NS_PER_S)


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "web")
    yield opened
    opened.close()


@pytest.fixture
def audit(store, clock):
    return Audit(store, clock)


@pytest.fixture
def labels(store, audit, clock):
    return Labels(store, audit, clock)


def test_the_tables_are_those_that_the_steps_make(store):
    names = {reviews.LABEL_CHANGES.name, reviews.LABELLED.name, reviews.FILTERS.name}
    with store.reading() as connection:
        options = {"include_object": lambda _item, name, kind, *_: kind != "table" or name in names}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)

    assert differences == []


def test_part_without_a_label_has_none(labels):
    assert labels.of([PART]) == {}
    assert labels.part(PART).standing is None
    assert labels.part(PART).version == 0


def test_a_label_stands_as_it_was_given(labels):
    labels.say(PART, "Ada", Said(LabelKind.OTHER_CLASS, "short", (BOX,)), seen=0)

    standing = labels.of([PART, OTHER])[PART]
    assert (standing.kind, standing.class_name, standing.boxes) == (LabelKind.OTHER_CLASS, "short", (BOX,))
    assert (standing.by, standing.version, standing.agrees) == ("Ada", 1, None)


@pytest.mark.parametrize(("second", "agrees"), [(DEFECT, True), (FALSE, False), (Said(DEFECT.kind, "short"), False)])
def test_the_second_reviewer_agrees_or_does_not(labels, second, agrees):
    labels.say(PART, "Ada", DEFECT, seen=0)
    said = labels.say(PART, "Ben", second, seen=1)

    assert [each.by for each in said.labels] == ["Ben", "Ada"]
    assert {each.agrees for each in said.labels} == {agrees}
    assert labels.of([PART])[PART].agrees is agrees


def test_whoever_did_not_see_the_newest_label_changes_nothing(labels, audit):
    labels.say(PART, "Ada", DEFECT, seen=0)

    with pytest.raises(LabelConflictError, match="Ada has changed") as refused:
        labels.say(PART, "Ben", FALSE, seen=0)

    assert refused.value.code == 409
    assert labels.of([PART])[PART].kind is LabelKind.TRUE_DEFECT
    assert len(audit.rows(AuditFilter())) == 1


def test_a_person_who_changes_their_mind_is_one_reviewer(labels):
    labels.say(PART, "Ada", DEFECT, seen=0)
    said = labels.say(PART, "Ada", FALSE, seen=1)

    assert [(each.kind, each.agrees) for each in said.labels] == [(LabelKind.FALSE_REJECT, None)]


def test_a_label_that_is_taken_back_leaves_the_one_before_it(labels):
    labels.say(PART, "Ada", DEFECT, seen=0)
    labels.say(PART, "Ben", FALSE, seen=1)

    labels.take_back(PART, "Ben", seen=2)

    assert (labels.of([PART])[PART].by, labels.of([PART])[PART].version) == ("Ada", 3)
    assert labels.part(PART).version == 3


def test_the_last_label_taken_back_leaves_none(labels):
    labels.say(PART, "Ada", DEFECT, seen=0)
    labels.take_back(PART, "Ada", seen=1)

    assert labels.of([PART]) == {}
    assert list(labels.all()) == []


def test_taking_back_what_one_never_said_changes_nothing(labels):
    labels.say(PART, "Ada", DEFECT, seen=0)

    assert labels.take_back(PART, "Ben", seen=1).version == 1


def test_every_change_is_in_the_trail_with_before_after_and_why(labels, audit):
    labels.say(PART, "Ada", DEFECT, seen=0)
    labels.say(PART, "Ada", FALSE, seen=1, reason="seen under the microscope")

    newest = audit.rows(AuditFilter())[0]

    assert (newest.who, newest.what, newest.about) == ("Ada", "review.label", "1/1/7")
    assert (json.loads(newest.before)["kind"], json.loads(newest.after)["kind"]) == ("true_defect", "false_reject")
    assert newest.reason == "seen under the microscope"


def test_many_are_labelled_except_those_that_changed_meanwhile(labels):
    labels.say(OTHER, "Ada", DEFECT, seen=0)

    done, refused = labels.say_of_many([(PART, 0), (OTHER, 0), ((1, 1, 9), 0)], "Ben", FALSE)

    assert ({key: (each.mine, each.after.version) for key, each in done.items()}, refused) == (
        {PART: (None, 1), (1, 1, 9): (None, 1)},
        [OTHER],
    )
    assert labels.of([OTHER])[OTHER].by == "Ada"


def test_all_labels_come_in_order_and_by_kind(labels):
    numbers = range(450)
    labels.say_of_many([((1, 1, n), 0) for n in numbers if n % 3], "Ada", FALSE)
    labels.say_of_many([((1, 1, n), 0) for n in numbers if not n % 3], "Ada", DEFECT)

    assert [each.part_id for each in labels.all()] == list(numbers)
    assert [each.part_id for each in labels.all(LabelFilter(kinds=(DEFECT.kind,)))] == list(numbers)[::3]
    assert list(labels.all(LabelFilter(lane=2))) == []


def test_boxes_that_a_person_drew_outlive_a_label_of_many(labels):
    labels.say(PART, "Ada", Said(LabelKind.TRUE_DEFECT, "", (BOX,)), seen=0)

    done, _ = labels.say_of_many([(PART, 1)], "Ada", FALSE)

    assert done[PART].mine.kind is LabelKind.TRUE_DEFECT
    assert labels.of([PART])[PART].boxes == (BOX,)
