import json

import cv2
import pytest
import typer
from typer.testing import CliRunner

from app.errors import DataError, PackageError, UsageError
from models.evaluation.command import evaluate
from tests.unit.detect.tiny_kinds import write_kind
from tests.unit.detect.tiny_model import CELL, HEIGHT, WIDTH, blank, write_package
from tests.unit.detect.two_models import write_two_models

NEEDS_COCO = 'evaluation needs: pip install "takt-inspect[evaluate]"'


def run(*arguments):
    app = typer.Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, [str(each) for each in arguments])


def report_of(*arguments):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def write_split(data, split, pictures, *, golden=True, classes=("left", "right"), defect_from=50):
    """Writes a split; each picture is a list of spots (x, y, level), a defect each from a level on."""
    folder, template = data / "images" / split, data / "images" / f"{split}_template"
    folder.mkdir(parents=True)
    (data / "annotations").mkdir(exist_ok=True)
    rows, boxes = [], []
    for number, spots in enumerate(pictures):
        image = blank()
        for x, y, level in spots:
            image[y, x] = level
            if level >= defect_from:
                category = 1 if x >= WIDTH // 2 and len(classes) > 1 else 0
                corner = [x // CELL * CELL, y // CELL * CELL, CELL, CELL]
                boxes.append({"id": len(boxes), "image_id": number, "category_id": category, "bbox": corner})
        cv2.imwrite(str(folder / f"{number}.png"), image)
        if golden:
            template.mkdir(exist_ok=True)
            cv2.imwrite(str(template / f"{number}.png"), blank())
        rows.append({"id": number, "file_name": f"{number}.png", "width": WIDTH, "height": HEIGHT})
    categories = [{"id": index, "name": name} for index, name in enumerate(classes)]
    truth = {"images": rows, "annotations": boxes, "categories": categories}
    (data / "annotations" / f"{split}.json").write_text(json.dumps(truth))
    return data


@pytest.fixture
def data(tmp_path):
    """Boards of two defects; on `test` one of them is dim, on `val` none is."""
    folder = tmp_path / "data"
    write_split(folder, "test", [[(4, 4, 255), (20, 12, 102)], [(4, 12, 204), (28, 4, 230)]])
    return write_split(folder, "val", [[(4, 4, 255), (20, 12, 153)], [(4, 12, 204), (28, 4, 26)]])


@pytest.fixture
def package(tmp_path):
    pytest.importorskip("pycocotools", reason=NEEDS_COCO)
    return write_package(tmp_path / "tiny")


def test_package_is_measured_on_whole_pictures_and_mended_parts(package, data):
    report = report_of(package, "--data", data, "--runtime", "onnx", "--threshold", 0.5)
    figures = report["rows"][0]["evaluation"]
    once, board = figures["every_defect_once"], figures["one_per_board"]
    assert figures["precision"]["map50"] == pytest.approx(1.0)
    assert (once["escapes"]["count"], once["escapes"]["trials"]) == (1, 4)
    assert (once["overkill"]["count"], once["overkill"]["trials"]) == (0, 2)
    assert (board["escapes"]["trials"], board["overkill"]["trials"]) == (2, 2)
    assert figures["as_they_are"]["escapes"]["count"] == 0


def test_threshold_is_chosen_on_val_and_reported_on_test(package, data):
    report = report_of(package, "--data", data, "--runtime", "onnx", "--max-escapes", 0, "--max-overkill", 0)
    balanced, wished = report["rows"][0]["choices"]
    assert (report["chosen_on"], report["split"]) == ("val", "test")
    assert wished["is_reached"]
    assert wished["chosen"]["escapes"]["count"] == 0
    assert 0.1 < wished["threshold"] <= 0.6
    assert balanced["wish"] == "fewest escapes and overkill"


def test_wish_out_of_reach_is_told_with_the_nearest_threshold(package, data):
    write_split(data, "dark", [[(4, 4, 200)], [(20, 4, 8)]], defect_from=5)
    report = report_of(package, "--data", data, "--choose-on", "dark", "--runtime", "onnx", "--max-escapes", 0.1)
    wished = report["rows"][0]["choices"][1]
    assert not wished["is_reached"]
    assert (wished["chosen"]["escapes"]["count"], wished["chosen"]["overkill"]["count"]) == (1, 0)
    shown = run(package, "--data", data, "--choose-on", "dark", "--runtime", "onnx", "--max-escapes", 0.1)
    assert "not reached" in shown.output


def test_every_model_and_runtime_is_compared_on_identical_pictures(data, tmp_path):
    pytest.importorskip("pycocotools", reason=NEEDS_COCO)
    package = write_two_models(tmp_path / "two")
    report = report_of(package, "--data", data, "--runtime", "onnx")
    assert [row["variant"] for row in report["rows"]] == ["accelerator-fp32", "standby-int8"]
    assert report["parity"] == []  # each is the first of its role
    first, second = (row["evaluation"]["every_defect_once"] for row in report["rows"])
    assert first == second


def test_runtimes_of_one_model_are_in_parity(package, data):
    pytest.importorskip("openvino", reason='openvino needs: pip install "takt-inspect[openvino]"')
    report = report_of(package, "--data", data)
    (parity,) = report["parity"]
    assert (parity["pictures"], parity["same_verdict"], parity["unmatched"]) == (8, 8, 0)
    assert [row["runtime"] for row in report["rows"]] == ["onnx", "openvino"]


def test_model_that_does_not_run_is_named_and_the_others_are_measured(data, tmp_path):
    pytest.importorskip("pycocotools", reason=NEEDS_COCO)
    package = write_two_models(tmp_path / "two", standby_fault="")
    manifest = (package / "manifest.toml").read_text()
    head, tail = manifest.rsplit("golden = true", 1)
    (package / "manifest.toml").write_text(f"{head}golden = false{tail}")
    report = report_of(package, "--data", data, "--runtime", "onnx", "--no-mending")
    first, second = report["rows"]
    assert (first["problem"], second["evaluation"]) == ("", None)
    assert "standby.onnx" in second["problem"]


def test_one_model_of_a_package_can_be_named(data, tmp_path):
    pytest.importorskip("pycocotools", reason=NEEDS_COCO)
    package = write_two_models(tmp_path / "two")
    report = report_of(package, "--data", data, "--runtime", "onnx", "--variant", "standby-int8")
    assert [row["variant"] for row in report["rows"]] == ["standby-int8"]


def test_times_are_taken_of_as_many_pictures_as_wanted(package, data):
    report = report_of(package, "--data", data, "--runtime", "onnx", "--timed", 1)
    assert report["rows"][0]["speed"]["pictures"] == 1
    assert report_of(package, "--data", data, "--runtime", "onnx", "--timed", 0)["rows"][0]["speed"] is None


def test_classifier_is_measured_by_pictures(tmp_path):
    package = write_kind(tmp_path / "kind", "classification")
    data = write_split(
        tmp_path / "data", "test", [[(4, 4, 255)], [(9, 9, 200)], []], golden=False, classes=("scratch",)
    )
    report = report_of(package, "--data", data, "--runtime", "onnx", "--threshold", 0.5)
    figures = report["rows"][0]["evaluation"]
    assert (figures["precision"], figures["every_defect_once"]) == (None, None)
    assert figures["as_they_are"]["escapes"]["count"] == 0
    assert figures["as_they_are"]["overkill"]["trials"] == 1
    assert figures["auroc"]["value"] == 1.0
    assert figures["confusion"]["counts"][1][1] == 2  # scratch for scratch


def test_anomaly_model_is_ranked_below_its_threshold_too(tmp_path):
    package = write_kind(tmp_path / "kind", "anomaly", threshold=0.99)
    spots = [[(4, 4, 120)], [(9, 9, 90)], [(3, 3, 20)], []]
    data = write_split(tmp_path / "data", "test", spots, golden=False, classes=("crack",))
    figures = report_of(package, "--data", data, "--runtime", "onnx")["rows"][0]["evaluation"]
    assert figures["as_they_are"]["escapes"]["count"] == 2
    assert figures["auroc"]["value"] == 1.0
    assert 20 / 255 < figures["best_threshold"] < 90 / 255


def test_screen_shows_every_table(package, data):
    result = run(package, "--data", data, "--runtime", "onnx", "--max-overkill", 0.1)
    assert result.exit_code == 0, result.output
    for words in (
        "mAP50",
        "escapes",
        "overkill",
        "one good per board",
        "thresholds chosen on val",
        "F1",
        "calibration",
    ):
        assert words in result.output


def test_pictures_and_truth_are_taken_without_a_data_set(package, data):
    where = ("--images", data / "images" / "test", "--truth", data / "annotations" / "test.json")
    report = report_of(package, *where, "--golden", data / "images" / "test_template", "--runtime", "onnx")
    assert (report["pictures"], report["chosen_on"]) == (2, "test")


def test_model_that_compares_asks_for_its_golden_samples(package, data):
    where = ("--images", data / "images" / "test", "--truth", data / "annotations" / "test.json")
    with pytest.raises(DataError, match="--golden"):
        raise run(package, *where).exception


@pytest.mark.parametrize(
    "options", [(), ("--images", "."), ("--data", ".", "--images", ".")], ids=["none", "no truth", "both"]
)
def test_pictures_are_named_in_one_way(package, options):
    assert isinstance(run(package, *options).exception, UsageError)


def test_unknown_package_is_named(data):
    assert isinstance(run("nobody", "--data", data).exception, PackageError)


def test_wish_about_good_parts_needs_some(tmp_path):
    package = write_kind(tmp_path / "kind", "anomaly")
    data = write_split(tmp_path / "data", "test", [[(4, 4, 255)]], golden=False, classes=("crack",))
    result = run(package, "--data", data, "--max-overkill", 0.1)
    assert isinstance(result.exception, DataError)
    assert "no good part" in str(result.exception)


def test_set_of_defective_pictures_alone_gets_its_threshold_by_the_findings(tmp_path):
    pytest.importorskip("pycocotools", reason=NEEDS_COCO)
    package = write_package(tmp_path / "tiny", golden=False)
    data = write_split(tmp_path / "data", "test", [[(4, 4, 255)], [(20, 4, 204)]], golden=False)
    (choice,) = report_of(package, "--data", data, "--runtime", "onnx")["rows"][0]["choices"]
    assert choice["wish"] == "best F1 of findings"
    assert choice["reported"]["escapes"]["count"] == 0


def test_card_and_pictures_of_the_misses_are_written(package, data, tmp_path):
    terms, card, pictures = tmp_path / "terms.md", tmp_path / "card.md", tmp_path / "pictures"
    terms.write_text("Drawn for a test.")
    options = ("--runtime", "onnx", "--threshold", 0.5, "--terms", terms, "--card", card, "--pictures", pictures)
    written = report_of(package, "--data", data, *options)["written"]
    assert written == [str(pictures / "01-escape-0.png"), str(card), str(tmp_path / "card-misses.png")]
    assert cv2.imread(written[0]).shape[2] == 3
    assert "Chosen on `val`, reported on `test`" in card.read_text()


def test_pictures_themselves_stand_in_the_card_where_they_may(package, data, tmp_path):
    terms = tmp_path / "terms.md"
    terms.write_text("Free.")
    sheets = []
    for name, options in (("boxes", ()), ("pictures", ("--may-ship-pictures",))):
        card = tmp_path / f"{name}.md"
        report_of(
            package, "--data", data, "--runtime", "onnx", "--threshold", 0.5, "--terms", terms, "--card", card, *options
        )
        sheets.append(cv2.imread(str(tmp_path / f"{name}-misses.png")))
    assert sheets[1].shape[1] > sheets[0].shape[1]  # the golden sample stands beside the part


def test_card_of_a_person_is_refused_before_anything_is_measured(package, data, tmp_path):
    (tmp_path / "terms.md").write_text("Free.")
    (tmp_path / "card.md").write_text("mine")
    result = run(package, "--data", data, "--terms", tmp_path / "terms.md", "--card", tmp_path / "card.md")
    assert isinstance(result.exception, DataError)
    assert "timing" not in result.output


@pytest.mark.data
def test_precision_of_the_shipped_model_comes_out_again(zoo_package, deeppcb):
    pytest.importorskip("pycocotools", reason=NEEDS_COCO)
    options = ("--split", "val", "--runtime", "onnx", "--timed", 0, "--no-mending")
    report = report_of(zoo_package, "--data", deeppcb, *options)
    assert report["rows"][0]["evaluation"]["precision"]["map50"] == pytest.approx(0.982, abs=0.0006)
