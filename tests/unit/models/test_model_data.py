import json
import struct

import cv2
import numpy as np
import pytest

from app.capture import pictures
from app.errors import DataError
from models.data import load_coco, load_split, read_pair, read_picture


def _change(data_dir, change):
    path = data_dir / "annotations" / "val.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def _load(data_dir):
    return load_split(data_dir, "val", ("hole", "blob"), golden=True)


def test_labels_index_the_given_classes_whatever_the_coco_ids(data_dir):
    swapped = load_split(data_dir, "val", ("blob", "hole"), golden=True)
    assert swapped.pictures[0].labels.tolist() == [1, 0]


def test_boxes_are_corners(data_dir):
    x1, _, x2, _ = _load(data_dir).pictures[0].boxes[0]
    assert (x1, x2) == (18, 30)


def test_golden_sample_is_found_by_stem(data_dir):
    assert _load(data_dir).pictures[1].golden == data_dir / "images" / "val_template" / "001.png"


def test_golden_sample_named_by_template_key_wins(data_dir):
    _change(data_dir, lambda values: values["images"][1].update(template="002.png"))
    assert _load(data_dir).pictures[1].golden.name == "002.png"


def test_set_without_golden_samples_is_read(data_dir):
    truth, images = data_dir / "annotations" / "val.json", data_dir / "images" / "val"
    labelled = load_coco(truth, images, None, ("hole", "blob"))
    assert read_pair(labelled.pictures[0])[1] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("categories"), "no 'categories'"),
        (lambda v: v["categories"][0].update(name="dent"), "class 'dent' is not among"),
        (lambda v: v["annotations"][0].update(category_id=99), "category 99, which is not listed"),
        (lambda v: v["annotations"][0].update(bbox=[1, 1, 0, 4]), "empty box"),
        (lambda v: v["annotations"][0].update(image_id=77), "boxes for image 77"),
        (lambda v: v["images"][0].update(file_name="gone.png"), r"names gone\.png"),
        (lambda v: v["images"][0].update(template="gone.png"), "no golden sample"),
        (lambda v: v.update(images=[], annotations=[]), "lists no images"),
    ],
)
def test_annotations_that_do_not_fit_are_refused(data_dir, change, message):
    _change(data_dir, change)
    with pytest.raises(DataError, match=message):
        _load(data_dir)


def test_missing_annotations_are_named(data_dir):
    (data_dir / "annotations" / "val.json").unlink()
    with pytest.raises(DataError, match=r"val\.json cannot be read"):
        _load(data_dir)


def test_annotations_that_are_not_json_are_refused(data_dir):
    (data_dir / "annotations" / "val.json").write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        _load(data_dir)


def test_missing_folder_is_named(data_dir):
    with pytest.raises(DataError, match=r"folder of pictures .*test does not exist"):
        load_split(data_dir, "test", ("hole", "blob"), golden=True)


def test_file_that_is_no_picture_is_refused(tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(DataError, match=r"text\.png cannot be read"):
        read_picture(tmp_path / "text.png")


def test_golden_sample_of_another_size_is_refused(data_dir):
    cv2.imwrite(str(data_dir / "images" / "val_template" / "000.png"), np.zeros((10, 10), np.uint8))
    with pytest.raises(DataError, match="differ in size"):
        read_pair(_load(data_dir).pictures[0])


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("channels", [1, 3])
def test_picture_is_read_as_its_pixels_are_stored_as_on_the_line(tmp_path, orientation, channels):
    """EXIF data that asks viewers to turn it is passed over in training and on the line alike."""
    cv2.imwrite(str(tmp_path / "a.jpg"), np.tile(np.arange(0, 240, 5, np.uint8), (32, 1)))
    content = (tmp_path / "a.jpg").read_bytes()
    tags = b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    (tmp_path / "a.jpg").write_bytes(content[:2] + b"\xff\xe1" + struct.pack(">H", len(tags) + 2) + tags + content[2:])
    line = pictures.with_channels(pictures.read_picture(tmp_path / "a.jpg"), channels)
    assert line.shape[:2] == (32, 48)
    assert np.array_equal(read_picture(tmp_path / "a.jpg", channels), line)
