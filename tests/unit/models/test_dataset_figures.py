import cv2
import numpy as np
import pytest

from app.errors import DataError
from models.datasets.figures import measure
from models.datasets.gather import gather
from models.datasets.recognise import read_source
from models.datasets.records import ReadOptions
from models.datasets.sheet import TILES, draw_sheet, write_sheet
from tests.unit.models.dataset_sources import CLASSES, many, write_coco, write_pictures


@pytest.fixture
def entries(tmp_path):
    return gather(read_source(write_coco(tmp_path / "source", many(12)), ReadOptions())).entries


def test_pictures_and_boxes_are_counted_by_class_and_split(entries):
    figures = measure(entries, CLASSES)
    hole, blob = figures.classes
    assert (hole.pictures, hole.boxes, blob.pictures, blob.boxes) == ({"": 6}, {"": 6}, {"": 4}, {"": 4})
    assert (figures.pictures, figures.boxes, figures.without_boxes, figures.good) == (
        {"": 12},
        {"": 10},
        {"": 4},
        {"": 4},
    )


def test_box_and_picture_sizes_are_measured(entries):
    figures = measure(entries, CLASSES)
    hole = figures.classes[0]
    assert (hole.width_px.median, hole.height_px.median) == (12, 8)
    assert hole.area_share.median == pytest.approx(12 * 8 / (64 * 48), abs=1e-4)
    assert (figures.picture_sizes, figures.colour, figures.stored_channels) == ({"64x48": 12}, 0, {"1": 12})
    assert figures.brightness.median == pytest.approx(128, abs=10)


def test_few_and_missing_examples_are_told(entries):
    told = measure(entries, (*CLASSES, "dent")).cautions
    assert "class blob has only 4 pictures" in told
    assert measure((), CLASSES).brightness is None


def test_sheet_has_a_row_per_class_and_one_of_good_parts(entries):
    sheet = draw_sheet(entries, CLASSES, "a set")
    two_rows = draw_sheet(entries, CLASSES[:1], "a set")
    row = sheet.shape[0] - two_rows.shape[0]
    assert sheet.dtype == np.uint8
    assert (sheet.shape[0] - 3 * row) < row
    assert sheet.shape[1] > TILES * 150


def test_class_without_example_keeps_its_row(entries):
    assert draw_sheet(entries, ("dent",), "a set").shape[0] < draw_sheet(entries, ("dent", "hole"), "a set").shape[0]


def test_box_is_framed_on_the_sheet(entries):
    with_box = draw_sheet([entry for entry in entries if entry.sample.boxes][:1], ("hole",), "a set")
    red = (with_box[:, :, 2] > 150) & (with_box[:, :, 1] < 80)
    assert red.sum() > 100


def test_tiny_and_long_pictures_are_drawn(tmp_path):
    write_pictures(tmp_path / "source" / "good", ["tiny.png", "long.png"])
    cv2.imwrite(str(tmp_path / "source" / "good" / "tiny.png"), np.zeros((1, 1), np.uint8))
    cv2.imwrite(str(tmp_path / "source" / "good" / "long.png"), np.zeros((3, 900), np.uint8))
    found = gather(read_source(tmp_path / "source", ReadOptions())).entries
    assert draw_sheet(found, (), "Flächen").shape[2] == 3


def test_sheet_that_cannot_be_written_is_refused(entries, tmp_path):
    with pytest.raises(DataError, match="cannot be written"):
        write_sheet(tmp_path / "gone" / "sheet.png", entries, CLASSES, "a set")
