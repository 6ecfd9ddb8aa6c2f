import json
from pathlib import Path

import cv2
import pytest

from tests.unit.cli.conftest import only_sentence, write_picture
from tests.unit.detect.tiny_model import blank, with_spot

GOOD, BAD, FAINT = "a-good.png", "b-bad.png", "c-faint.png"


def shown(result):
    """The JSON document, its pictures by file name."""
    document = json.loads(result.stdout)
    return document, {Path(each["file"]).name: each for each in document["pictures"]}


def write_truth(path, *bad, images=(GOOD, BAD, FAINT, "d-good.png"), labels=("left", "right")):
    numbers = {name: 100 + number for number, name in enumerate(images)}
    truth = {
        "images": [{"id": number, "file_name": name} for name, number in numbers.items()],
        "annotations": [
            {"id": n, "image_id": numbers[name], "category_id": 7, "bbox": [1, 1, 4, 4], "area": 16, "iscrowd": 0}
            for n, name in enumerate(bad, 1)
        ],
        "categories": [{"id": 7 + n, "name": label} for n, label in enumerate(labels)],
    }
    path.write_text(json.dumps(truth))
    return path


def test_a_defect_rejects_and_its_reason_is_given(inspect):
    document, pictures = shown(inspect("--json"))

    assert pictures[BAD]["verdict"] == "REJECT"
    assert pictures[BAD]["destination"] == "reject"
    assert pictures[BAD]["reasons"][0]["text"].startswith("right 0.80 at x=16 y=8")
    assert pictures[GOOD]["verdict"] == "PASS"
    assert document["summary"]["rejected"] == 1
    assert document["summary"]["passed"] == 3


def test_a_finding_just_below_the_threshold_flags(inspect):
    document, pictures = shown(inspect("--json"))

    assert pictures[FAINT]["verdict"] == "PASS"
    assert pictures[FAINT]["is_flagged"] is True
    assert document["summary"]["flagged"] == 1


def test_the_table_shows_every_picture_with_verdict_and_reason(inspect):
    result = inspect()

    assert result.exit_code == 0
    for name in (GOOD, BAD, FAINT):
        assert name in result.stdout
    assert "◆ REJECT" in result.stdout
    assert "▲ PASS, look" in result.stdout
    assert "right 0.80" in result.stdout
    assert "4 pictures" in result.stdout


def test_the_same_picture_named_twice_is_judged_once(inspect, pictures):
    document, _ = shown(inspect("--json", sources=[pictures, pictures / BAD]))

    assert document["summary"]["pictures"] == 4


def test_rejects_are_an_error_only_where_asked_for(inspect, pictures):
    assert inspect().exit_code == 0
    assert inspect("--fail-on-reject").exit_code == 10
    assert inspect("--fail-on-reject", sources=[pictures / GOOD]).exit_code == 0


def test_a_threshold_replaces_that_of_the_package(inspect):
    _, pictures = shown(inspect("--json", "--threshold", "0.9"))

    assert pictures[BAD]["verdict"] == "PASS"


def test_a_threshold_replaces_those_of_the_recipe_too(inspect, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("schema = 1\n[classes.right]\nthreshold = 0.1\n")

    _, pictures = shown(inspect("--json", "--recipe", recipe, "--threshold", "0.9"))

    assert pictures[BAD]["verdict"] == "PASS"


def test_a_recipe_decides_what_counts(inspect, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('schema = 1\nname = "lenient"\n[classes.right]\npolicy = "ignore"\n')

    document, pictures = shown(inspect("--json", "--recipe", recipe))

    assert document["recipe"] == "lenient"
    assert pictures[BAD]["verdict"] == "PASS"


def test_the_golden_sample_of_a_recipe_is_used(takt, pictures, tmp_path):
    write_picture(tmp_path / "master.png", with_spot(20, 10, 204))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('schema = 1\ngolden_sample = "master.png"\nregistration_px = 0\n')

    _, judged = shown(takt.run("inspect", pictures, "--model", "tiny", "--recipe", recipe, "--json"))

    assert judged[BAD]["verdict"] == "PASS"
    assert judged[GOOD]["verdict"] == "REJECT"


def test_golden_samples_go_by_file_name(takt, pictures, tmp_path):
    folder = tmp_path / "goldens"
    folder.mkdir()
    for path in pictures.iterdir():
        write_picture(folder / f"{path.stem}.bmp", with_spot(20, 10, 204) if path.name == BAD else blank())

    result = takt.run("inspect", pictures, "--model", "tiny", "--golden", folder, "--json")

    assert {each["verdict"] for each in json.loads(result.stdout)["pictures"]} == {"PASS"}


def test_a_model_that_wants_a_golden_sample_says_so(takt, pictures):
    result = takt.run("inspect", pictures, "--model", "tiny")

    assert result.exit_code == 2
    assert "--golden" in only_sentence(result.stderr)


def test_a_model_without_golden_sample_refuses_one(takt, pictures, golden):
    result = takt.run("inspect", pictures, "--model", "plain", "--golden", golden)

    assert result.exit_code == 2
    assert "leave --golden out" in only_sentence(result.stderr)


def test_the_active_model_judges_by_default(takt, pictures):
    assert takt.run("models", "activate", "plain").exit_code == 0

    document, _ = takt.json("inspect", pictures)

    assert document["model"]["name"] == "plain"


def test_without_an_active_model_the_default_of_the_settings_judges(takt, pictures):
    result = takt.run("inspect", pictures)

    assert result.exit_code == 5
    assert "pcb-nano" in only_sentence(result.stderr)


def test_coco_results_are_a_plain_list_that_pycocotools_loads(inspect, tmp_path):
    coco = pytest.importorskip("pycocotools.coco", reason='pip install "takt-inspect[evaluate]"')
    truth = write_truth(tmp_path / "truth.json", BAD)

    result = inspect("--coco", tmp_path / "found.json", "--truth", truth)

    rows = json.loads((tmp_path / "found.json").read_text())
    assert result.exit_code == 0
    best = max(rows, key=lambda row: row["score"])
    assert best == {
        "image_id": 101,
        "category_id": 8,
        "bbox": [16.0, 8.0, 8.0, 8.0],
        "score": 0.8,
        "file_name": BAD,
        "category_name": "right",
    }
    assert len(coco.COCO(str(truth)).loadRes(str(tmp_path / "found.json")).anns) == len(rows)


def test_coco_results_hold_all_detections_not_only_those_that_reject(inspect, tmp_path):
    inspect("--coco", tmp_path / "found.json", "--threshold", "0.99")

    rows = json.loads((tmp_path / "found.json").read_text())
    assert {row["file_name"] for row in rows} == {BAD, FAINT}


def test_verdicts_lie_beside_the_coco_results(inspect, tmp_path):
    inspect("--coco", tmp_path / "found.json")

    verdicts = {each["file_name"]: each for each in json.loads((tmp_path / "found.verdicts.json").read_text())}
    assert verdicts[BAD]["verdict"] == "REJECT"
    assert verdicts[BAD]["image_id"] == 2
    assert verdicts[GOOD]["verdict"] == "PASS"


def test_a_truth_tells_escapes_from_overkill(inspect, tmp_path):
    truth = write_truth(tmp_path / "truth.json", GOOD)

    document, pictures = shown(inspect("--json", "--truth", truth))

    assert (document["summary"]["escapes"], document["summary"]["overkill"]) == (1, 1)
    assert pictures[GOOD]["truth"] == "bad"
    table = inspect("--truth", truth).stdout
    assert "escapes 1, overkill 1" in table
    assert "bad: escape" in table


def test_annotated_pictures_keep_the_picture_and_add_a_head(inspect, tmp_path):
    inspect("--annotate", tmp_path / "drawn")

    drawn = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert drawn == [GOOD, BAD, FAINT, "d-good.png"]
    assert cv2.imread(str(tmp_path / "drawn" / BAD)).shape[2] == 3


def test_pictures_of_one_name_from_two_folders_do_not_overwrite_each_other(inspect, pictures, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    write_picture(other / BAD, blank())

    inspect("--annotate", tmp_path / "drawn", sources=[pictures / BAD, other / BAD])

    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["b-bad-2.png", "b-bad.png"]


def test_a_contact_sheet_and_a_page_show_the_rejects(inspect, tmp_path):
    inspect("--sheet", tmp_path / "sheet.png", "--report", tmp_path / "report")

    assert cv2.imread(str(tmp_path / "sheet.png")) is not None
    page = (tmp_path / "report" / "index.html").read_text()
    assert "1 of 4 pictures rejected" in page
    assert BAD in page
    assert GOOD not in page


@pytest.mark.parametrize(
    "words",
    [
        ["--coco", "pictures/b-bad.png"],
        ["--sheet", "golden.png"],
        ["--coco", "zoo/tiny/manifest.toml"],
        ["--coco", "zoo/tiny/golden/expected.json"],
        ["--annotate", "pictures"],
        ["--sheet", "same.json", "--coco", "same.json"],
        ["--sheet", "sheet.docx"],
        ["--coco", "golden.png/found.json"],
        ["--coco", "pictures"],
    ],
    ids=" ".join,
)
def test_what_would_overwrite_an_input_or_cannot_be_written_is_refused_before_any_work(inspect, tmp_path, words):
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    result = inspect(*(tmp_path / word if not word.startswith("--") else word for word in words))

    assert result.exit_code == 2
    only_sentence(result.stderr)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_file_without_a_name_is_refused(inspect):
    result = inspect("--coco", "")

    assert result.exit_code == 2
    assert "names no file" in only_sentence(result.stderr)
