"""`takt demo` with a tiny model and pictures of a few boards."""

import json

import cv2
import numpy as np
import pytest

from tests.unit.cli.conftest import only_sentence
from tests.unit.detect.tiny_model import blank, with_spot


@pytest.fixture
def boards(tmp_path):
    """Two boards with a spot, one without, and what a good one looks like."""
    for folder in ("boards", "good"):
        (tmp_path / folder).mkdir()
    for name, picture in (("a", with_spot(8, 4)), ("b", with_spot(16, 8)), ("c", blank())):
        cv2.imwrite(str(tmp_path / "boards" / f"{name}.png"), picture)
        cv2.imwrite(str(tmp_path / "good" / f"{name}.png"), blank())
    images = [{"id": number, "file_name": f"{name}.png"} for number, name in enumerate("abc")]
    marks = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 2, 2]} for n in range(2)]
    document = {"images": images, "annotations": marks, "categories": [{"id": 1, "name": "spot"}]}
    (tmp_path / "truth.json").write_text(json.dumps(document))
    return tmp_path


def words(boards, *more):
    sources = ("--parts-from", boards / "boards", "--truth", boards / "truth.json", "--good-from", boards / "good")
    return ("demo", "--model", "tiny", "--runtime", "onnx", *sources, "--out", boards / "out", *more)


def test_pictures_go_down_the_belt_once_each_and_the_account_balances(takt, boards):
    figures, result = takt.json(*words(boards))
    assert result.exit_code == 0
    assert {key: figures[key] for key in ("triggers", "passed", "rejected", "lost", "in_flight")} == {
        "triggers": 6,
        "passed": 4,
        "rejected": 2,
        "lost": 0,
        "in_flight": 0,
    }
    assert (figures["escapes"], figures["overkill"], figures["unaccounted"], figures["failovers"]) == (0, 0, 0, 0)
    assert {"p50", "p99", "p999", "max"} <= figures["latency_ms"].keys()
    assert not (boards / "out").exists()


def test_more_parts_than_pictures_count_each_picture_once(takt, boards):
    figures, _ = takt.json(*words(boards, "--parts", 15))
    assert figures["triggers"] == 15
    assert (figures["pictures"]["bad"], figures["pictures"]["good"]) == (2, 4)


def test_same_seed_gives_the_same_account(takt, boards):
    keys = ("triggers", "passed", "rejected", "reasons", "ledger_events", "stops")
    first, second = (takt.json(*words(boards, "--seed", 5))[0] for _ in range(2))
    assert {key: first[key] for key in keys} == {key: second[key] for key in keys}


def test_bad_part_that_the_model_cannot_see_is_told_as_an_escape(takt, boards):
    cv2.imwrite(str(boards / "boards" / "a.png"), blank())
    figures, _ = takt.json(*words(boards))
    assert (figures["escapes"], figures["pictures"]["escapes"]) == (1, 1)
    assert "a.png" in figures["details"][0]


def test_picture_that_cannot_be_read_is_a_rejected_part(takt, boards):
    (boards / "boards" / "c.png").write_bytes(b"")
    figures, result = takt.json(*words(boards))
    assert result.exit_code == 0
    assert figures["reasons"]["NO_FRAME"] == 1
    assert (figures["overkill"], figures["unaccounted"]) == (1, 0)


def test_contact_sheet_is_written_beside_the_summary(takt, boards):
    result = takt.run(*words(boards))
    assert "balanced" in result.stdout
    assert (boards / "out" / "index.html").is_file()
    assert (boards / "out" / "contact-sheet.png").is_file()


def test_pictures_without_golden_samples_are_refused_by_what_is_missing(takt, boards):
    command = ("demo", "--model", "tiny", "--parts-from", boards / "boards", "--truth", boards / "truth.json")
    result = takt.run(*command)
    assert result.exit_code == 2
    assert "give --good-from DIR" in only_sentence(result.stderr)


def test_truth_without_pictures_is_refused(takt, boards):
    result = takt.run("demo", "--truth", boards / "truth.json")
    assert result.exit_code == 2
    assert "belong to --parts-from" in only_sentence(result.stderr)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"images": 3}', '{"images": [{"id": 1, "file_name": "z.png"}]}'])
def test_truth_of_other_pictures_is_refused(takt, boards, content):
    (boards / "truth.json").write_text(content)
    result = takt.run(*words(boards))
    assert result.exit_code == 4
    assert "truth.json" in only_sentence(result.stderr)


def test_colour_pictures_are_judged_too(takt, boards):
    for path in sorted((boards / "boards").iterdir()):
        cv2.imwrite(str(path), np.dstack([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)] * 3))
    figures, _ = takt.json(*words(boards))
    assert (figures["passed"], figures["rejected"]) == (4, 2)
