"""Where two models disagree: the filter of the queue, the mark in a row, and the line on a part's page."""

from __future__ import annotations

import pytest

from app.web.access.roles import Role
from app.web.review.filters import Wrong, read_filter
from app.web.review.opinions import Asked, Opinion, OpinionBox, Opinions
from tests.unit.web.bench import Bench
from tests.unit.web.test_review_api import write_record

KEEN, MILD = "ab" * 32, "cd" * 32
BOX = OpinionBox("top", 0, "short", 0.12, (5.0, 6.0, 7.0, 8.0), "")


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    made = Bench(tmp_path_factory.mktemp("opinions") / "bus")
    write_record(made.state)
    opinions = Opinions(made.context.store)
    keen = opinions.ask(Asked(KEEN, "keen", "1.0.0", "only", "onnx", 1))
    mild = opinions.ask(Asked(MILD, "mild", "2.0.0", "only", "onnx", 2))
    for model, part, said, would in (
        (keen, 2, "reject", "reject"),
        (keen, 6, "pass", "reject"),
        (mild, 2, "reject", "pass"),
        (mild, 6, "pass", "pass"),
        (mild, 8, "reject", "pass"),
    ):
        opinions.write(model, Opinion((1, 1, part), "lot-1", said, would, "short", 0.12, (BOX,), 2500, 9))
    made.as_role(Role.LEAD)
    yield made
    made.close()
    made.context.close()


def parts(box, query):
    return {each["part"] for each in box.client.get(f"/api/v1/queue?{query}").json["rows"]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("opinion=differs", {2, 6, 8}),
        ("opinion=would_reject", {6}),
        ("opinion=would_pass", {2, 8}),
        ("opinion=same", {2, 6}),
        (f"opinion=differs&opinion_of={KEEN[:12]}", {6}),
        (f"opinion=differs&opinion_of={MILD}", {2, 8}),
        (f"opinion_of={KEEN[:8]}", {2, 6}),
        (f"opinion=none&opinion_of={KEEN[:8]}", {3, 5, 8, 11, 12}),
        ("opinion=none", {3, 5, 11, 12}),
        ("opinion=differs&why=sample", {6}),
        ("opinion=differs&opinion_of=00000000", set()),
    ],
)
def test_queue_is_narrowed_to_where_models_disagree(box, query, expected):
    assert parts(box, query) == expected


def test_count_and_neighbours_keep_to_the_filter(box):
    assert box.client.get("/api/v1/queue?opinion=differs").json["total"] == 3
    said = box.client.get("/api/v1/parts/1/1/6/neighbours?opinion=differs").json

    assert (said["newer"], said["older"]) == ("1-1-8", "1-1-2")


def test_row_names_the_models_that_would_have_sent_it_elsewhere(box):
    rows = {each["part"]: each["differs"] for each in box.client.get("/api/v1/queue").json["rows"]}

    assert [(each["package"], each["would"], each["score"]) for each in rows[2]] == [("mild", "pass", 0.12)]
    assert [each["package"] for each in rows[6]] == ["keen"]
    assert rows[3] == []


def test_part_tells_what_each_model_would_have_said_with_its_boxes(box):
    mild, keen = box.client.get("/api/v1/parts/1/1/2").json["opinions"]

    assert (mild["package"], mild["would"], mild["is_different"], mild["took_ms"]) == ("mild", "pass", True, 2.5)
    assert (keen["package"], keen["would"], keen["is_different"]) == ("keen", "reject", False)
    assert mild["boxes"] == [
        {"camera": "top", "exposure": 0, "label": "short", "score": 0.12, "kind": ""}
        | {"x": 5.0, "y": 6.0, "width": 7.0, "height": 8.0}
    ]


def test_page_of_the_queue_offers_the_models_that_were_asked(box):
    page = box.client.get(f"/review/?opinion=differs&opinion_of={MILD[:12]}").get_data(as_text=True)

    assert f'<option value="{MILD[:12]}" selected>mild 2.0.0 (only)</option>' in page
    assert '<option value="differs" selected>' in page


def test_nonsense_is_left_out_and_told():
    chosen, wrong = read_filter({"opinion": "perhaps", "opinion_of": "' OR 1=1"})

    assert chosen.opinion is None
    assert set(wrong) == {Wrong("opinion", "perhaps"), Wrong("opinion_of", "' OR 1=1")}
