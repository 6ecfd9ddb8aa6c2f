import json

import cv2
import numpy as np
import pytest

from app.errors import DataError
from models.evaluation.truth import Source, load_truth


@pytest.fixture
def make(tmp_path):
    """Writes a split whose pictures' rows are given; a box where `box` names its class."""

    def made(*rows, classes=("dent", "scratch")):
        images = tmp_path / "images" / "test"
        images.mkdir(parents=True, exist_ok=True)
        (tmp_path / "annotations").mkdir(exist_ok=True)
        listed, boxes = [], []
        for number, row in enumerate(rows):
            name = f"{number}.png"
            cv2.imwrite(str(images / name), np.zeros((24, 32), np.uint8))
            listed.append({"id": number, "file_name": name} | {key: row[key] for key in row if key != "box"})
            for label in [row["box"]] if "box" in row else []:
                category = classes.index(label)
                boxes.append({"id": number, "image_id": number, "category_id": category, "bbox": [1, 1, 5, 5]})
        truth = {
            "images": listed,
            "annotations": boxes,
            "categories": [{"id": index, "name": name} for index, name in enumerate(classes)],
        }
        (tmp_path / "annotations" / "test.json").write_text(json.dumps(truth))
        return Source.of_split(tmp_path, "test")

    return made


def facts(truth):
    return [(each.is_defective, each.label) for each in truth.pictures]


def test_picture_with_a_box_is_defective_and_one_without_is_good(make):
    truth = load_truth(make({"box": "dent"}, {}), "detection", ("dent", "scratch"))
    assert facts(truth) == [(True, "dent"), (False, "")]


def test_row_of_a_picture_says_what_boxes_do_not(make):
    source = make(
        {"label": "defective", "defect": "scratch"}, {"label": "ok"}, {"label": "defective"}, {"class": "dent"}
    )
    truth = load_truth(source, "classification", ("good", "dent", "scratch"), ("good",))
    assert facts(truth) == [(True, "scratch"), (False, ""), (True, ""), (True, "dent")]


def test_picture_of_a_good_class_is_good(make):
    source = make({"image_class": "good"}, {"image_class": "dent"})
    truth = load_truth(source, "classification", ("good", "dent", "scratch"), ("good",))
    assert facts(truth) == [(False, ""), (True, "dent")]


def test_anomaly_model_takes_a_truth_of_any_classes(make):
    truth = load_truth(make({"box": "scratch"}, {"label": "ok"}), "anomaly", ("anomaly",))
    assert truth.classes == ("dent", "scratch")
    assert facts(truth) == [(True, "scratch"), (False, "")]


def test_picture_called_good_with_a_defect_on_it_is_named(make):
    with pytest.raises(DataError, match=r"0\.png is called ok and has a box of dent"):
        load_truth(make({"label": "ok", "box": "dent"}), "detection", ("dent", "scratch"))


def test_class_that_the_package_does_not_have_is_named(make):
    with pytest.raises(DataError, match="scratch"):
        load_truth(make({"box": "dent"}), "detection", ("dent",))


def test_split_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="val"):
        load_truth(Source.of_split(tmp_path, "val"), "anomaly", ("anomaly",))


def test_golden_samples_are_taken_where_they_are(make, tmp_path):
    assert make({}).golden is None
    (tmp_path / "images" / "test_template").mkdir()
    assert Source.of_split(tmp_path, "test").golden == tmp_path / "images" / "test_template"
