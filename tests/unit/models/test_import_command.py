# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
"""`takt models import` as its user meets it: a proven package, or one sentence and nothing left behind."""

import json

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

onnx = pytest.importorskip("onnx", reason='importing needs: pip install "takt-inspect[train]"')
pytest.importorskip("onnxruntime")

from app.detect.package import load_package
from app.detect.proof import prove
from app.detect.runtimes import open_detector
from app.errors import DataError, DetectorError, MissingDriverError, PackageError, TaktError, UsageError
from models.data import read_picture
from models.importing import apart, importer, trying
from models.importing.command import import_model
from models.importing.told import told as told_of
from tests.unit.models.import_graphs import ULTRALYTICS, brightness, exported, raw_table, spotter

SIDE = 32
KIND = 'importing needs: pip install "takt-inspect[openvino]"'


def invoked(*arguments):
    command = typer.Typer()
    command.command()(import_model)
    done = CliRunner().invoke(command, [*map(str, arguments)])
    if isinstance(done.exception, TaktError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Imports here what the command gives to a child, which `test_import_apart` is about."""
    monkeypatch.setattr(
        apart,
        "import_apart",
        lambda plan, on_step: json.loads(json.dumps(told_of(importer.import_onnx(plan, on_step)))),
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command on a model in a folder of its own; the result as JSON, or the error raised."""
    monkeypatch.chdir(tmp_path)

    def call(model, *options):
        if model is not None:
            onnx.save(model, "best.onnx")
        return json.loads(invoked("best.onnx", *options, "--json"))

    return call


@pytest.fixture(scope="module")
def spots(tmp_path_factory):
    """The package of a model that sees, and what the command told of it."""
    folder = tmp_path_factory.mktemp("spots")
    onnx.save(spotter(), folder / "best.onnx")
    told = json.loads(invoked(folder / "best.onnx", "--out", folder / "best", "--json"))
    return folder / "best", told


def spot(cell_x, cell_y, width=SIDE, height=SIDE, level=204):
    """A black picture with one cell of 8 px at this level."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[8 * cell_y : 8 * cell_y + 8, 8 * cell_x : 8 * cell_x + 8] = level
    return picture


def test_model_becomes_a_proven_package(spots):
    folder, told = spots
    assert (told["layout"], told["kind"], told["classes"]) == ("ultralytics-raw", "detection", ["left", "right"])
    assert (told["fit"], told["pixels"], told["suppress_iou"], told["threshold"]) == ("letterbox", "unit", 0.7, 0.25)
    assert told["package"] == str(folder)
    assert told["findings"] > 0
    package = load_package(folder)
    assert (package.variant, package.kind, len(package.frames)) == ("accelerator-fp32", "detection", 8)
    assert any(frame.detections for frame in package.frames)
    prove(package, open_detector(package, "onnx"), lambda path: read_picture(path, 3))


def test_package_holds_on_openvino_too(spots):
    pytest.importorskip("openvino", reason=KIND)
    assert spots[1]["proven"] == ["onnx", "openvino"]


def test_package_finds_what_the_model_sees_where_it_lies(spots):
    detector = open_detector(load_package(spots[0]), "onnx")
    (found,) = detector.detect(spot(2, 1)).detections
    assert (found.label, found.box_px) == ("right", (16, 8, 8, 8))
    assert found.score == pytest.approx(0.8, abs=1e-3)


def test_picture_of_another_shape_is_letterboxed(spots):
    """64 x 32 px on an input of 32 x 32 px: half the size, 8 px of border above."""
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[0:16, 0:16] = 255
    found = open_detector(load_package(spots[0]), "onnx").detect(picture).detections
    assert found[0].label == "left"
    assert np.allclose(found[0].box_px, (0, 0, 16, 16), atol=0.01)


def test_card_quotes_source_and_licence(spots):
    card = (spots[0] / "card.md").read_text()
    assert "`AGPL-3.0 License (https://ultralytics.com/license)`" in card
    assert "Ultralytics 8.4.190 detect" in card
    assert "licence of the weights is a matter of whoever brings them" in card


def test_metadata_cannot_write_into_the_card(run, tmp_path):
    evil = "free`\n# Proven safe | yes\n" + "x" * 5000
    run(spotter(metadata={**ULTRALYTICS, "imgsz": "[32, 32]", "names": "{0: 'left', 1: 'right'}", "license": evil}))
    card = (tmp_path / "best" / "card.md").read_text()
    assert "\n# Proven safe" not in card
    assert len(card) < 4000


def test_sheet_shows_the_pictures(spots):
    sheet = cv2.imread(str(spots[0] / "samples.png"))
    assert sheet.shape[0] > 500
    assert sheet.shape[1] > 1000
    assert sheet.std() > 20


def test_sheet_goes_where_it_is_wished(run, tmp_path):
    told = run(spotter(), "--sheet", "looks/sheet.png", "--out", "taken/spots", "--name", "spots", "--version", "2.1")
    assert (told["sheet"], told["package"]) == ("looks/sheet.png", "taken/spots")
    assert (tmp_path / "looks" / "sheet.png").is_file()
    assert not (tmp_path / "taken" / "spots" / "samples.png").exists()
    package = load_package(tmp_path / "taken" / "spots")
    assert (package.name, package.version) == ("spots", "2.1")


def test_sheet_may_go_into_the_package_itself(run, tmp_path):
    run(spotter(), "--sheet", "best/golden/look.png")
    assert (tmp_path / "best" / "golden" / "look.png").is_file()
    assert not (tmp_path / "best" / "samples.png").exists()


def test_pictures_of_the_user_are_tried_and_recorded(run, tmp_path):
    (tmp_path / "mine").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "mine" / f"{number}.png"), spot(number, 1, 40, 24))
    told = run(spotter(), "--samples", "mine")
    frames = load_package(tmp_path / "best").frames
    assert (told["pictures"], len(frames)) == (3, 3)
    assert read_picture(frames[0].image, 3).shape == (24, 40, 3)


def test_threshold_classes_and_fit_are_taken_as_wished(run, tmp_path):
    (tmp_path / "names.txt").write_text("ok side\n\ndéfaut\n")
    told = run(spotter(), "--threshold", 0.5, "--classes", "names.txt", "--fit", "stretch", "--role", "standby")
    package = load_package(tmp_path / "best")
    assert (told["threshold"], package.classes) == (0.5, ("ok side", "défaut"))
    assert (package.spec.fit, package.variant) == ("stretch", "standby-fp32")


def test_same_file_gives_the_same_package(run, tmp_path):
    for name in ("one", "two"):
        run(spotter(), "--out", name, "--name", "same")
    files = [
        {
            each.relative_to(tmp_path / name): each.read_bytes()
            for each in (tmp_path / name).rglob("*")
            if each.is_file()
        }
        for name in ("one", "two")
    ]
    assert files[0] == files[1]


def test_classifier_with_good_classes(run, tmp_path):
    told = run(brightness(), "--classes", "red,green,blue", "--good", "green", "--pixels", "unit")
    assert (told["kind"], told["good_classes"], told["layout"]) == ("classification", ["green"], "classifier")
    picture = np.zeros((16, 24, 3), np.uint8)
    picture[:, :, 0] = 255
    found = open_detector(load_package(tmp_path / "best"), "onnx").detect(picture).detections
    assert found[0].label == "blue"
    assert found[0].score == pytest.approx(np.e / (np.e + 2), abs=1e-4)


def test_classifier_without_good_classes_says_so(run):
    told = run(brightness(), "--classes", "red,green,blue")
    assert any("--good" in note for note in told["notes"])
    assert any("--pixels" in note for note in told["notes"])


def test_anomaly_model_becomes_a_package(run):
    plane = np.zeros((1, 1, 8, 8), np.float32)
    plane[0, 0, 2:4, 2:6] = 0.9
    told = run(exported({"pred_score": np.array([0.9], np.float32), "anomaly_map": plane}, name="input"))
    assert (told["kind"], told["classes"], told["findings"]) == ("anomaly", ["anomaly"], told["pictures"])


def test_model_that_finds_nothing_asks_for_pictures(run):
    table = raw_table(np.random.default_rng(0), 3)
    table[:, 4:] *= 0.01
    told = run(exported({"output0": table}, metadata=ULTRALYTICS))
    assert told["findings"] == 0
    assert "--samples" in told["notes"][-1]


def refused(run, tmp_path, kind, match, model, *options):
    before = {each.name for each in tmp_path.iterdir()} | {"best.onnx"}
    with pytest.raises(kind, match=match):
        run(model, *options)
    assert {each.name for each in tmp_path.iterdir()} == before


def test_classes_are_asked_for(run, tmp_path):
    refused(run, tmp_path, UsageError, "does not name its classes; .*--classes a,b,c, 3 names", brightness())


def test_count_of_classes_must_fit(run, tmp_path):
    what = "has outputs for 3 classes and --classes gives 2; give 3 names"
    refused(run, tmp_path, UsageError, what, brightness(), "--classes", "a,b")
    refused(
        run, tmp_path, UsageError, "has outputs for 2 classes and --classes gives 3", spotter(), "--classes", "a,b,c"
    )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (("--classes", "a,,b"), "has an empty name"),
        (("--classes", "a,b,a"), "names 'a' twice"),
        (("--good", "left"), "--good is for classifiers"),
        (("--fit", "squeeze"), "--fit squeeze is not known; use one of stretch"),
        (("--pixels", "grey"), "--pixels grey is not known"),
        (("--role", "spare"), "--role spare is not known"),
        (("--size", "big"), "--size big is no size"),
        (("--layout", "torchvision"), "does not have the layout torchvision"),
    ],
)
def test_wishes_that_cannot_be_are_refused(run, tmp_path, options, match):
    refused(run, tmp_path, UsageError, match, spotter(), *options)


@pytest.mark.parametrize("options", [("--name", "no/name"), ("--version", "*")])
def test_name_and_version_that_no_package_may_have_are_refused(run, tmp_path, options):
    refused(run, tmp_path, PackageError, r"^best/manifest.toml has a problem", spotter(), "--out", "best", *options)


def test_class_name_that_cannot_be_shown_is_refused(run, tmp_path):
    metadata = {**ULTRALYTICS, "imgsz": "[32, 32]", "names": "{0: 'left', 1: 'ri\\x07ght'}"}
    refused(run, tmp_path, PackageError, r"classes\.1", spotter(metadata=metadata))


def test_names_in_no_known_form_are_asked_for(run, tmp_path):
    metadata = {**ULTRALYTICS, "imgsz": "[32, 32]", "names": "__import__('os')"}
    refused(run, tmp_path, UsageError, "in no known way; give --classes", spotter(metadata=metadata))


def test_good_class_must_be_a_class(run, tmp_path):
    options = ("--classes", "a,b,c", "--good", "d")
    refused(run, tmp_path, UsageError, "--good names 'd', which is no class", brightness(), *options)


def test_classifier_with_good_classes_only_is_refused(run, tmp_path):
    options = ("--classes", "a,b,c", "--good", "a,b,c")
    refused(run, tmp_path, PackageError, "nothing could ever be found", brightness(), *options)


def test_classifier_with_a_sigmoid_per_class_is_refused(run, tmp_path):
    refused(run, tmp_path, UsageError, "probability of its own", brightness(end="Sigmoid"), "--classes", "a,b,c")


def test_numbers_that_are_not_finite_are_told_with_the_picture(run, tmp_path):
    what = "not finite on the sample picture drawn-00; export the model again"
    refused(run, tmp_path, DetectorError, what, spotter(fault="nan"))


def test_scores_outside_their_range_hint_at_the_layout(run, tmp_path):
    table = raw_table(np.random.default_rng(0), 3)
    table[:, 4:] *= 9
    refused(run, tmp_path, DetectorError, "--layout", exported({"output0": table}, metadata=ULTRALYTICS))


def test_boxes_far_away_hint_at_the_layout(run, tmp_path):
    table = raw_table(np.random.default_rng(0), 3)
    table[:, :2] = 90_000
    refused(
        run, tmp_path, DetectorError, "--layout", exported({"output0": table}, metadata=ULTRALYTICS), "--fit", "stretch"
    )


def test_folder_that_exists_is_not_touched(run, tmp_path):
    (tmp_path / "best").mkdir()
    refused(run, tmp_path, UsageError, "best exists; give --out another folder", spotter())


def test_samples_that_are_none_are_refused(run, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "a.png").write_bytes(b"no picture")
    refused(run, tmp_path, DataError, "empty holds no picture", spotter(), "--samples", "empty")
    refused(run, tmp_path, DataError, "a.png cannot be read", spotter(), "--samples", "torn")
    refused(run, tmp_path, DataError, "nowhere is no folder", spotter(), "--samples", "nowhere")


def test_missing_file_is_refused(run, tmp_path):
    with pytest.raises(DataError, match=r"best\.onnx is no file"):
        run(None)
    assert not list(tmp_path.iterdir())


def test_package_that_does_not_hold_is_not_kept(run, tmp_path, monkeypatch):
    def broken(package):
        raise PackageError("it does not hold", "try another")

    monkeypatch.setattr(importer, "prove_everywhere", broken)
    refused(run, tmp_path, PackageError, "it does not hold", spotter())


def test_full_disk_leaves_nothing(run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(importer, "card_text", full)
    refused(run, tmp_path, DataError, "best cannot be written: No space left on device", spotter())


def test_runtime_on_which_it_does_not_hold_is_named(run, tmp_path, monkeypatch):
    opened = trying.open_detector

    def open_some(package, runtime, threads):
        if runtime == "openvino":
            raise PackageError("OpenVINO cannot run `it`", "use another")
        return opened(package, runtime, threads)

    monkeypatch.setattr(trying, "open_detector", open_some)
    told = run(spotter())
    assert (told["proven"], told["refused"]) == (["onnx"], {"openvino": "OpenVINO cannot run `it`"})
    assert "On openvino its golden frames do not hold" in (tmp_path / "best" / "card.md").read_text()


def test_words_for_people_name_what_was_seen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    onnx.save(spotter(), "best.onnx")
    said = invoked("best.onnx")
    assert "output0 (1, 6, 21) with metadata of Ultralytics 8.4.190 detect" in said
    assert "left, right" in said
    assert "samples.png" in said


def test_without_onnx_the_install_line_is_named(run, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingDriverError, match=r"importing needs onnx.*takt-inspect"):
        run(None)
