"""`takt replay`: judged again by what judged, and what is said where that is not to be had."""

import shutil

import cv2
import pytest

from app.setup import twin_line
from tests.unit.cli.conftest import only_sentence
from tests.unit.cli.replay_record import FAINT, GOOD, SPOT, Site
from tests.unit.detect.tiny_model import tiny_onnx, write_package

LINE = twin_line().read_text(encoding="utf-8")


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def site(zoo, state):
    return Site(zoo, state, line_text=LINE)


def test_a_kept_picture_gives_the_same_verdict(takt, site):
    site.part(SPOT)
    site.write()
    said, result = takt.json("replay", "1/1/1")
    assert result.exit_code == 0, result.stderr
    (part,) = said["parts"]
    assert (part["then"], part["now"], part["is_same"]) == ("reject", "reject", True)
    assert part["found_now"][0]["label"] == "right"
    assert said["notes"] == []


def test_a_part_that_differs_is_told_and_ends_with_code_1(takt, site):
    site.part(SPOT, lies=0.01)
    site.write()
    result = takt.run("replay", "1")
    assert result.exit_code == 1
    assert "differs" in result.stdout
    assert "scores 0.8000, not 0.8100" in result.stdout
    assert "1 of 1 parts differ, such as 1/1/1" in only_sentence(result.stderr)


def test_a_part_without_a_picture_is_one_clear_sentence(takt, site):
    site.part(GOOD, keeps=False)
    site.write()
    result = takt.run("replay", "1")
    assert result.exit_code == 4
    assert "passes are sampled (storage.pass_every)" in only_sentence(result.stderr)


def test_a_part_that_was_never_seen_says_so(takt, site):
    site.unseen()
    site.write()
    result = takt.run("replay", "1")
    assert result.exit_code == 4
    assert "no frame of it was judged: NO_FRAME" in only_sentence(result.stderr)


def test_a_lot_counts_parts_without_pictures(takt, site):
    for image, keeps in ((SPOT, True), (GOOD, False), (FAINT, True), (GOOD, False)):
        site.part(image, keeps=keeps)
    site.write()
    said, result = takt.json("replay", "lot-1")
    assert result.exit_code == 0
    assert (said["same"], said["differ"], said["not_judged"]) == (2, 0, 2)
    assert [each["part"] for each in said["parts"]] == ["1/1/1", "1/1/2", "1/1/3", "1/1/4"]


def test_only_the_newest_parts_of_a_lot_are_taken_and_that_is_said(takt, site):
    for _ in range(4):
        site.part(SPOT)
    site.write()
    said, _ = takt.json("replay", "lot-1", "--most", "2")
    assert [each["part"] for each in said["parts"]] == ["1/1/3", "1/1/4"]
    assert any("2 older parts" in note for note in said["notes"])


def test_the_verdict_of_several_exposures_is_over_all_of_them(takt, site):
    site.part(GOOD, SPOT)
    site.part(SPOT, GOOD)
    site.write()
    said, result = takt.json("replay", "lot-1")
    assert result.exit_code == 0
    assert [(each["now"], each["is_same"], each["exposures"]) for each in said["parts"]] == [
        ("reject", True, {"judged": 2, "of": 2})
    ] * 2


def test_an_exposure_that_was_not_kept_counts_as_it_was(takt, site):
    site.part(SPOT, GOOD, keeps={1})
    site.write()
    said, result = takt.json("replay", "1")
    assert result.exit_code == 0
    assert said["parts"][0]["now"] == "reject"
    assert "1 of 2 exposures judged again" in said["parts"][0]["why"]


def test_a_picture_that_was_changed_is_refused(takt, site):
    site.part(SPOT)
    (picture,) = site.write()
    cv2.imwrite(str(picture), GOOD)
    result = takt.run("replay", "1")
    assert result.exit_code == 4
    assert "is not the picture that was kept" in only_sentence(result.stderr)


def test_a_changed_picture_does_not_hide_the_others_of_its_lot(takt, site):
    site.part(SPOT)
    site.part(SPOT)
    picture, _ = site.write()
    cv2.imwrite(str(picture), GOOD)
    said, result = takt.json("replay", "lot-1")
    assert result.exit_code == 1
    assert [each["is_same"] for each in said["parts"]] == [False, True]


def test_another_package_of_that_name_is_refused(takt, site, zoo):
    site.part(SPOT)
    site.write()
    shutil.rmtree(zoo / "plain")
    write_package(zoo / "plain", tiny_onnx(golden=False, fault="score"), golden=False)
    result = takt.run("replay", "1")
    assert result.exit_code == 5
    sentence = only_sentence(result.stderr)
    assert "is not the package that judged" in sentence
    assert "--model" in sentence


def test_a_package_that_moved_is_named_by_its_folder(takt, site, zoo, tmp_path):
    site.part(SPOT)
    site.write()
    shutil.move(zoo / "plain", tmp_path / "elsewhere")
    assert takt.run("replay", "1").exit_code == 5
    assert takt.run("replay", "1", "--model", tmp_path / "elsewhere").exit_code == 0


def test_another_runtime_is_told_with_its_tolerances(takt, site):
    pytest.importorskip("openvino")
    site.part(SPOT)
    site.write()
    said, result = takt.json("replay", "1", "--runtime", "openvino")
    assert result.exit_code == 0
    assert "was judged on onnx, and is judged on openvino now" in said["notes"][0]


def test_documents_that_are_not_kept_are_stood_in_for_and_said(takt, site, state):
    site.part(SPOT)
    site.write()
    shutil.rmtree(state / "documents")
    said, result = takt.json("replay", "1")
    assert result.exit_code == 0
    assert len([note for note in said["notes"] if "is not kept" in note]) == 2


def test_pictures_are_drawn_and_never_over_those_that_were_kept(takt, site, tmp_path):
    site.part(SPOT)
    (picture,) = site.write()
    assert takt.run("replay", "1", "--out", tmp_path / "drawn").exit_code == 0
    assert cv2.imread(str(tmp_path / "drawn" / picture.name)).shape[2] == 3
    result = takt.run("replay", "1", "--out", picture.parent)
    assert result.exit_code == 2
    assert "would be overwritten" in only_sentence(result.stderr)


@pytest.mark.parametrize("words", [("nothing",), ("nothing", "--lot"), ("9/9/9",)])
def test_what_the_ledger_does_not_know_is_refused(takt, site, words):
    site.part(SPOT)
    site.write()
    result = takt.run("replay", *words)
    assert result.exit_code == 12
    assert "knows no" in only_sentence(result.stderr)


def test_a_lot_with_a_number_for_a_name_is_asked_for_as_a_lot(takt, site):
    site.part(SPOT)
    site.write()
    said, _ = takt.json("replay", "lot-1", "--lot")
    assert said["same"] == 1


def test_without_a_ledger_the_state_folder_is_named(takt):
    result = takt.run("replay", "1")
    assert result.exit_code == 12
    assert "holds no ledger" in only_sentence(result.stderr)
