"""Second opinions as they are kept: bounded, one per part and model, weighed against the line and against labels."""

from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select

from app.errors import RecordError
from app.web.review.label import LabelKind
from app.web.review.opinions import MOST_MODELS, Asked, Opinion, OpinionBox, Opinions
from app.web.store.database import Store
from app.web.store.opinions import OPINION_MODELS, OPINIONS
from app.web.store.reviews import LABELLED
from app.web.store.tables import METADATA
from tests.unit.web.bench import lay_store


@pytest.fixture
def store(tmp_path):
    lay_store(tmp_path)
    with closing(Store(tmp_path / "web")) as made:
        yield made


@pytest.fixture
def opinions(store):
    return Opinions(store)


def asked(digit="a", at=1, package="keen"):
    return Asked(digit * 64, package, "1.0.0", "only", "onnx", at)


def opinion(part, said="pass", would="pass", lot="lot-1", lane=1, took_us=1000, score=0.5):
    boxes = (OpinionBox("top", 0, "open", score, (1.0, 2.0, 3.0, 4.0), "DEFECT"),)
    return Opinion((lane, 1, part), lot, said, would, "open", score, boxes, took_us, 7)


def label(store, part, kind):
    said = {"class_name": "", "by": "quinn", "at_us": 1, "version": 1}
    with store.writing() as connection:
        connection.execute(LABELLED.insert().values(lane=1, epoch=1, part_id=part, kind=kind.value, **said))


def test_steps_lead_to_the_tables_that_the_code_names(store):
    with store.writing() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)

    assert {OPINIONS, OPINION_MODELS} <= set(METADATA.sorted_tables)
    assert [each for each in differences if "opinion" in repr(each)] == []


def test_opinion_comes_back_as_it_was_written(opinions):
    number = opinions.ask(asked())
    opinions.write(number, opinion(3, would="reject"))

    ((model, found),) = opinions.of((1, 1, 3))
    assert (model.sha256, model.parts) == ("a" * 64, 1)
    assert found == opinion(3, would="reject")
    assert found.is_different


def test_newer_opinion_of_the_same_model_takes_the_place_of_the_older(opinions):
    number = opinions.ask(asked())
    opinions.write(number, opinion(3))
    opinions.write(opinions.ask(asked(at=2)), opinion(3, would="reject"))

    ((model, found),) = opinions.of((1, 1, 3))
    assert (found.would, model.asked_us) == ("reject", 2)


def test_only_so_many_models_are_kept_with_their_opinions(opinions, store):
    for each in range(MOST_MODELS + 1):
        opinions.write(opinions.ask(asked(f"{each:x}", at=each)), opinion(1))

    assert [each.asked_us for each in opinions.models()] == list(range(MOST_MODELS, 0, -1))
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(OPINIONS)).scalar_one() == MOST_MODELS


def test_opinions_on_parts_without_pictures_are_forgotten(opinions):
    number = opinions.ask(asked())
    for part in (1, 2, 3):
        opinions.write(number, opinion(part))

    assert opinions.forget({(1, 1, 2)}) == 2
    assert opinions.judged(number) == {(1, 1, 2)}


def test_both_are_weighed_on_the_same_parts(opinions, store):
    number = opinions.ask(asked())
    for part, said, would in (
        (1, "pass", "pass"),
        (2, "pass", "reject"),
        (3, "reject", "pass"),
        (4, "reject", "reject"),
        (5, "reject", "rework"),
    ):
        opinions.write(number, opinion(part, said, would, took_us=part * 100))
    for part, kind in ((2, LabelKind.ESCAPE), (3, LabelKind.FALSE_REJECT), (4, LabelKind.UNSURE)):
        label(store, part, kind)
    found = opinions.weigh(number)

    assert found.parts == {(False, False): 1, (False, True): 1, (True, False): 1, (True, True): 2}
    assert found.labelled == {
        LabelKind.ESCAPE: {(False, True): 1},
        LabelKind.FALSE_REJECT: {(True, False): 1},
        LabelKind.UNSURE: {(True, True): 1},
    }
    assert (found.elsewhere, found.median_us) == (1, 300)


def test_weighing_keeps_to_a_lane_and_a_lot(opinions):
    number = opinions.ask(asked())
    opinions.write(number, opinion(1))
    opinions.write(number, opinion(1, lane=2, lot="lot-2"))

    assert opinions.weigh(number, lane=2).parts == {(False, False): 1}
    assert opinions.weigh(number, lot="lot-1").parts == {(False, False): 1}
    assert opinions.weigh(number, lane=1, lot="lot-2").median_us is None
    assert opinions.lots(number) == ["lot-1", "lot-2"]


def test_full_disk_is_one_clear_sentence_and_leaves_no_half_row(opinions, store):
    number = opinions.ask(asked())
    opinions.write(number, opinion(1))
    with store.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    big = tuple(OpinionBox("top", 0, "x" * 4000, 0.5, (0.0, 0.0, 1.0, 1.0), "") for _ in range(60))
    too_big = Opinion((1, 1, 2), "lot-1", "pass", "pass", "", None, big, 1, 1)
    with pytest.raises(RecordError, match="the disk is full") as caught:
        opinions.write(number, too_big)

    assert "make room" in caught.value.mend
    assert opinions.judged(number) == {(1, 1, 1)}
