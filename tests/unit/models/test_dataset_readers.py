import json

import cv2
import numpy as np
import pytest

from app.errors import DataError, UsageError
from models.datasets.recognise import read_source
from models.datasets.records import ReadOptions
from tests.unit.models.dataset_sources import (
    coco_values,
    review_line,
    voc_text,
    write_coco,
    write_mask,
    write_pictures,
    write_yolo,
)

OPTIONS = ReadOptions()


def _corners(sample):
    return [(box.label, round(box.x1, 4), round(box.y1, 4), round(box.x2, 4), round(box.y2, 4)) for box in sample.boxes]


def _codes(reading):
    return [problem.code for problem in reading.problems]


# COCO


def test_coco_boxes_are_corners_in_pixels(tmp_path):
    reading = read_source(write_coco(tmp_path, {"a.png": [("blob", 3, 4, 5, 6)]}), OPTIONS)
    assert (reading.format, _corners(reading.samples[0])) == ("coco", [("blob", 3, 4, 8, 10)])


def test_coco_file_beside_the_pictures_of_each_split_is_found(tmp_path):
    for split in ("train", "valid"):
        write_pictures(tmp_path / split, [f"{split}.png"])
        (tmp_path / split / "_annotations.coco.json").write_text(json.dumps(coco_values({f"{split}.png": []})))
    reading = read_source(tmp_path, OPTIONS)
    assert [(sample.name, sample.split) for sample in reading.samples] == [
        ("train/train.png", "train"),
        ("valid/valid.png", "val"),
    ]


def test_our_own_layout_is_read_with_its_golden_samples_and_groups(tmp_path):
    write_pictures(tmp_path / "images" / "train", ["a.png"])
    write_pictures(tmp_path / "images" / "train_template", ["a.png"])
    values = coco_values({"a.png": []})
    values["images"][0].update(group=4, label="defective", defect="blob")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "train.json").write_text(json.dumps(values))
    sample = read_source(tmp_path, OPTIONS).samples[0]
    assert sample.golden == tmp_path / "images" / "train_template" / "a.png"
    assert (sample.split, sample.group, sample.is_good, sample.defect) == ("train", "4", False, "blob")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda v: v["annotations"][0].update(category_id=99), "unknown-class"),
        (lambda v: v["annotations"][0].update(image_id=99), "box-without-picture"),
        (lambda v: v["annotations"][0].update(bbox=[1, 2, 3]), "no-box"),
        (lambda v: v["annotations"][0].pop("bbox"), "no-box"),
        (lambda v: v["images"][0].update(file_name="gone.png"), "picture-missing"),
        (lambda v: v["images"].append({"id": 50, "file_name": "a.png"}), "listed-twice"),
    ],
)
def test_coco_row_that_cannot_be_right_is_named(tmp_path, change, code):
    write_coco(tmp_path, {"a.png": [("hole", 1, 1, 5, 5)], "b.png": []})
    values = json.loads((tmp_path / "labels.json").read_text())
    change(values)
    (tmp_path / "labels.json").write_text(json.dumps(values))
    assert code in _codes(read_source(tmp_path, OPTIONS))


def test_crowd_is_no_box(tmp_path):
    write_coco(tmp_path, {"a.png": [("hole", 1, 1, 5, 5)]})
    values = json.loads((tmp_path / "labels.json").read_text())
    values["annotations"][0]["iscrowd"] = 1
    (tmp_path / "labels.json").write_text(json.dumps(values))
    reading = read_source(tmp_path, OPTIONS)
    assert (reading.samples[0].boxes, _codes(reading)) == ((), ["crowd"])


def test_picture_in_two_splits_is_named(tmp_path):
    write_pictures(tmp_path / "images", ["a.png"])
    for split in ("train", "test"):
        (tmp_path / f"{split}.json").write_text(json.dumps(coco_values({"a.png": []})))
    assert _codes(read_source(tmp_path, OPTIONS)) == ["two-splits"]


def test_picture_that_no_annotation_lists_is_noted(tmp_path):
    write_coco(tmp_path, {"a.png": []})
    write_pictures(tmp_path / "images", ["stray.png"])
    problem = read_source(tmp_path, OPTIONS).problems[0]
    assert (problem.code, problem.file, problem.is_error) == ("not-listed", "images/stray.png", False)


def test_coco_that_names_a_picture_outside_its_folder_is_refused(tmp_path):
    write_pictures(tmp_path, ["secret.png"])
    inside = tmp_path / "set"
    inside.mkdir()
    (inside / "labels.json").write_text(json.dumps(coco_values({"../secret.png": []})))
    with pytest.raises(DataError, match="outside of"):
        read_source(inside, OPTIONS)


# YOLO


def test_yolo_splits_that_all_name_the_same_divide_nothing(tmp_path):
    root = write_yolo(tmp_path, {"a.png": "0 0.5 0.5 0.2 0.2\n"})
    (root / "data.yaml").write_text("path: .\ntrain: images/train\nval: images/train\nnames: [hole, blob]\n")
    reading = read_source(root, OPTIONS)

    assert [each.split for each in reading.samples] == [""]
    assert reading.problems == ()


def test_yolo_box_polygon_and_rotated_box_are_boxes_around_them(tmp_path):
    pytest.importorskip("yaml", reason='pip install "takt-inspect[train]"')
    text = "0 0.5 0.5 0.25 0.5\n1 0.1 0.2 0.3 0.2 0.3 0.4\n1 0 0 0.5 0 0.5 0.5 0 0.5\n"
    reading = read_source(write_yolo(tmp_path, {"a.png": text}), OPTIONS)
    assert reading.samples[0].has_fractions
    assert _corners(reading.samples[0]) == [
        ("hole", 0.375, 0.25, 0.625, 0.75),
        ("blob", 0.1, 0.2, 0.3, 0.4),
        ("blob", 0, 0, 0.5, 0.5),
    ]


def test_yolo_names_may_be_numbered_and_keypoints_are_passed_over(tmp_path):
    pytest.importorskip("yaml", reason='pip install "takt-inspect[train]"')
    names = "names:\n  0: hole\n  1: blob\nkpt_shape: [2, 3]"
    root = write_yolo(tmp_path, {"a.png": "1 0.5 0.5 0.2 0.2 0.1 0.1 2 0.3 0.3 2\n"}, names)
    assert _corners(read_source(root, OPTIONS).samples[0]) == [("blob", 0.4, 0.4, 0.6, 0.6)]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("7 0.5 0.5 0.1 0.1", "unknown-class"),
        ("hole 0.5 0.5 0.1 0.1", "not-a-number"),
        ("0 0.5 0.5 0.1", "no-box"),
    ],
)
def test_yolo_line_that_cannot_be_right_is_named_with_its_number(tmp_path, line, code):
    pytest.importorskip("yaml", reason='pip install "takt-inspect[train]"')
    reading = read_source(write_yolo(tmp_path, {"a.png": f"0 0.5 0.5 0.1 0.1\n{line}\n"}), OPTIONS)
    assert [(each.code, each.file, each.where) for each in reading.problems] == [
        (code, "labels/train/a.txt", "line 2"),
    ]


def test_empty_yolo_file_is_a_good_part_and_a_missing_one_stops(tmp_path):
    pytest.importorskip("yaml", reason='pip install "takt-inspect[train]"')
    root = write_yolo(tmp_path, {"good.png": "", "unknown.png": None})
    reading = read_source(root, OPTIONS)
    assert [sample.name for sample in reading.samples] == ["images/train/good.png"]
    assert [(each.code, each.file) for each in reading.problems] == [("no-labels", "images/train/unknown.png")]
    assert len(read_source(root, ReadOptions(unlabelled="good")).samples) == 2
    assert _codes(read_source(root, ReadOptions(unlabelled="leave-out"))) == []


def test_yolo_label_file_without_picture_is_named(tmp_path):
    pytest.importorskip("yaml", reason='pip install "takt-inspect[train]"')
    root = write_yolo(tmp_path, {"a.png": ""})
    (root / "labels" / "train" / "gone.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    assert _codes(read_source(root, OPTIONS)) == ["label-without-picture"]


def test_yolo_folders_without_data_yaml_need_class_names(tmp_path):
    write_pictures(tmp_path / "train" / "images", ["a.png"])
    (tmp_path / "train" / "labels").mkdir()
    (tmp_path / "train" / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    with pytest.raises(DataError, match="no class names"):
        read_source(tmp_path, OPTIONS)
    reading = read_source(tmp_path, ReadOptions(classes=("scratch",)))
    assert (reading.samples[0].split, reading.samples[0].boxes[0].label) == ("train", "scratch")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: images/train\nnames: [a, a]", "one class name twice"),
        ("train: images/train", "no class names"),
        ("train: nowhere\nnames: [a]", "which does not exist"),
        ("names: [a", "not valid YAML"),
        ("names: !!python/object/apply:os.system [ls]", "not valid YAML"),
    ],
)
def test_yolo_settings_that_cannot_be_used_are_refused(tmp_path, text, message):
    pytest.importorskip("yaml", reason='pip install "takt-inspect[train]"')
    write_yolo(tmp_path, {"a.png": ""})
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DataError, match=message):
        read_source(tmp_path, OPTIONS)


# VOC


def _voc(root, text, name="a"):
    write_pictures(root / "JPEGImages", [f"{name}.png"])
    (root / "Annotations").mkdir(exist_ok=True)
    (root / "Annotations" / f"{name}.xml").write_text(text)
    return root


def test_voc_corners_count_from_one_and_are_inclusive(tmp_path):
    reading = read_source(_voc(tmp_path, voc_text([("hole", 1, 11, 20, 30)])), OPTIONS)
    assert (reading.format, _corners(reading.samples[0])) == ("voc", [("hole", 0, 10, 20, 30)])


def test_voc_split_is_that_of_its_lists(tmp_path):
    _voc(tmp_path, voc_text([]))
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "val.txt").write_text("a\n")
    assert read_source(tmp_path, OPTIONS).samples[0].split == "val"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (voc_text([("hole", "x", 1, 2, 3)]), "no-box"),
        (voc_text([("", 1, 1, 5, 5)]), "unknown-class"),
        (voc_text([], filename="b.png"), "other-picture"),
        ("<annotation><object>", "label-unreadable"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "label-unreadable"),
    ],
)
def test_voc_label_that_cannot_be_right_is_named(tmp_path, text, code):
    _voc(tmp_path, voc_text([], filename="b.png"), "b")
    reading = read_source(_voc(tmp_path, text), OPTIONS)
    assert (code, "Annotations/a.xml") in [(each.code, each.file) for each in reading.problems]


def test_voc_label_without_picture_and_picture_without_label_are_named(tmp_path):
    _voc(tmp_path, voc_text([]))
    (tmp_path / "Annotations" / "gone.xml").write_text(voc_text([]))
    write_pictures(tmp_path / "JPEGImages", ["bare.png"])
    assert _codes(read_source(tmp_path, OPTIONS)) == ["label-without-picture", "no-labels"]


# Folders and masks


def test_folders_of_good_parts_and_defects_take_boxes_from_masks(tmp_path):
    write_pictures(tmp_path, ["train/good/0.png", "test/good/1.png", "test/crack/1.png", "test/dent/2.png"])
    write_mask(tmp_path / "ground_truth" / "crack" / "1_mask.png", [(255, 5, 6, 7, 8), (255, 40, 30, 10, 5)])
    reading = read_source(tmp_path, OPTIONS)
    found = {sample.name: sample for sample in reading.samples}
    assert (reading.format, reading.classes) == ("folders", ("crack", "dent"))
    assert _corners(found["test/crack/1.png"]) == [("crack", 5, 6, 12, 14), ("crack", 40, 30, 50, 35)]
    assert [found[name].is_good for name in ("train/good/0.png", "test/crack/1.png", "test/dent/2.png")] == [
        True,
        False,
        False,
    ]
    assert found["test/dent/2.png"].defect == "dent"


def test_folder_of_good_parts_with_a_name_of_its_own_must_be_given(tmp_path):
    write_pictures(tmp_path, ["prima/0.png", "crack/1.png"])
    with pytest.raises(DataError, match="no labels of a known format"):
        read_source(tmp_path, OPTIONS)
    assert read_source(tmp_path, ReadOptions(good=("prima",))).classes == ("crack",)


def test_mask_of_a_defective_part_that_shows_nothing_is_named(tmp_path):
    write_pictures(tmp_path, ["test/good/0.png", "test/crack/1.png"])
    write_mask(tmp_path / "ground_truth" / "crack" / "1_mask.png", [])
    write_mask(tmp_path / "ground_truth" / "crack" / "gone_mask.png", [(255, 1, 1, 5, 5)])
    assert _codes(read_source(tmp_path, OPTIONS)) == ["empty-mask", "label-without-picture"]


def test_masks_give_a_box_per_region_and_no_box_for_dust(tmp_path):
    write_pictures(tmp_path / "images", ["a.png", "b.png"])
    write_mask(tmp_path / "masks" / "a.png", [(255, 5, 6, 7, 8), (255, 30, 30, 1, 2)])
    write_mask(tmp_path / "masks" / "b.png", [])
    reading = read_source(tmp_path, OPTIONS)
    assert [_corners(sample) for sample in reading.samples] == [[("defect", 5, 6, 12, 14)], []]
    assert [sample.is_good for sample in reading.samples] == [False, True]


def test_values_of_a_mask_are_classes_in_order(tmp_path):
    write_pictures(tmp_path / "images", ["a.png"])
    write_mask(tmp_path / "masks" / "a_mask.png", [(1, 2, 2, 6, 6), (2, 20, 20, 6, 6)])
    named = ReadOptions(classes=("hole", "blob"))
    assert _corners(read_source(tmp_path, named).samples[0]) == [("hole", 2, 2, 8, 8), ("blob", 20, 20, 26, 26)]


def test_smoothed_mask_counts_from_half_its_range(tmp_path):
    write_pictures(tmp_path / "images", ["a.png"])
    mask = np.zeros((48, 64), np.uint8)
    mask[10:30, 10:40] = 255
    (tmp_path / "masks").mkdir()
    cv2.imwrite(str(tmp_path / "masks" / "a.png"), cv2.GaussianBlur(mask, (0, 0), 2))
    assert _corners(read_source(tmp_path, OPTIONS).samples[0]) == [("defect", 10, 10, 40, 30)]


# Review export


def _review(root, *lines):
    write_pictures(root / "pictures", ["1.png", "2.png"])
    (root / "review.jsonl").write_text("\n".join(lines) + "\n")
    return root


def test_review_export_gives_labels_part_and_reviewers(tmp_path):
    labels = [{"class": "hole", "box": [1, 2, 11, 12]}]
    bad = review_line("L1-7", "pictures/1.png", labels=labels, lot="A7", second_reviewer="ben", second_decision="bad")
    reading = read_source(_review(tmp_path, bad, review_line("L1-8", "pictures/2.png", "good")), OPTIONS)
    first, second = reading.samples
    assert (reading.format, _corners(first), first.group) == ("review", [("hole", 1, 2, 11, 12)], "L1-7")
    assert dict(first.notes) == {"verdict": "reject", "lot": "A7", "reviewer": "anna", "second_reviewer": "ben"}
    assert (first.is_good, second.is_good) == (False, True)


@pytest.mark.parametrize(
    ("line", "code", "is_error"),
    [
        (review_line("p", "pictures/1.png", "unsure"), "unsure", False),
        (review_line("p", "pictures/1.png", second_decision="good"), "disagreement", False),
        (
            review_line("p", "pictures/1.png", "good", labels=[{"class": "a", "box": [1, 1, 9, 9]}]),
            "good-with-labels",
            True,
        ),
        (review_line("p", "pictures/9.png"), "picture-missing", True),
        (review_line("p", "../1.png"), "outside-source", True),
        (review_line("p", "pictures/1.png", "perhaps"), "bad-line", True),
        (review_line("p", "pictures/1.png", colour="red"), "bad-line", True),
        (review_line("p", "pictures/1.png", schema=2), "bad-line", True),
        (review_line("p", "pictures/1.png", labels=[{"class": "a", "box": [1, 2]}]), "no-box", True),
        ("{", "not-json", True),
    ],
)
def test_review_line_that_cannot_be_used_is_named(tmp_path, line, code, is_error):
    reading = read_source(_review(tmp_path, review_line("ok", "pictures/2.png", "good"), line), OPTIONS)
    assert [(each.code, each.where.split(",")[0], each.is_error) for each in reading.problems] == [
        (code, "line 2", is_error)
    ]


# Which format


def test_source_that_fits_two_formats_is_asked_about(tmp_path):
    write_coco(tmp_path, {"a.png": []})
    _voc(tmp_path, voc_text([]))
    with pytest.raises(DataError, match=r"could be coco \(labels.json\) and voc \(a.xml\); choose by --format"):
        read_source(tmp_path, OPTIONS)
    assert read_source(tmp_path, OPTIONS, "voc").format == "voc"


def test_source_without_labels_is_refused(tmp_path):
    write_pictures(tmp_path, ["a.png"])
    with pytest.raises(DataError, match="no labels of a known format"):
        read_source(tmp_path, OPTIONS)
    with pytest.raises(DataError, match="does not exist"):
        read_source(tmp_path / "gone", OPTIONS)
    with pytest.raises(UsageError, match="no format 'xml'"):
        read_source(tmp_path, OPTIONS, "xml")
