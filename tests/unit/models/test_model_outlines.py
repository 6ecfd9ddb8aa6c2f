import json

import numpy as np
import pytest

from models.data import load_coco
from models.outlines import chosen, moved, rectangle, region_of, turned

SQUARE = np.array([[2, 1], [6, 1], [6, 4], [2, 4]], np.float32)
SIZE = (10, 8)


def hull(region):
    points = np.concatenate(region)
    return [*points.min(axis=0), *points.max(axis=0)]


def test_polygons_of_an_annotation_are_its_region():
    row = {"segmentation": [[0, 0, 4, 0, 4, 4], [6, 6, 8, 6, 8, 8, 6, 8]]}
    region = region_of(row, (0, 0, 8, 8))
    assert [each.tolist() for each in region] == [[[0, 0], [4, 0], [4, 4]], [[6, 6], [8, 6], [8, 8], [6, 8]]]


@pytest.mark.parametrize(
    "row",
    [{}, {"segmentation": []}, {"segmentation": {"counts": [1, 2], "size": [2, 2]}}, {"segmentation": [[1, 2, 3, 4]]}],
    ids=["absent", "empty", "run lengths", "a line"],
)
def test_an_annotation_without_a_polygon_is_its_box(row):
    (outline,) = region_of(row, (1, 2, 5, 7))
    assert np.array_equal(outline, rectangle((1, 2, 5, 7)))


def test_outlines_move_as_an_affine_map_says():
    ((outline,),) = moved([(SQUARE,)], np.array([[2.0, 0, 1], [0, 3, -1]]))
    assert outline.tolist() == [[5, 2], [13, 2], [13, 11], [5, 11]]


@pytest.mark.parametrize(
    ("way", "wanted"),
    [(0, [2, 1, 6, 4]), (1, [4, 1, 8, 4]), (2, [2, 4, 6, 7]), (4, [1, 2, 4, 6]), (7, [4, 4, 7, 8])],
)
def test_outlines_turn_as_boxes_do(way, wanted):
    (region,) = turned([(SQUARE,)], SIZE, way)
    assert hull(region) == wanted


def test_what_is_not_known_is_not_chosen_from():
    assert chosen((), np.array([True, False])) == ()
    assert chosen(((SQUARE,), ()), np.array([False, True])) == ((),)


def test_a_split_carries_the_regions_of_its_boxes(data_dir):
    path = data_dir / "annotations" / "train.json"
    truth = json.loads(path.read_text())
    truth["annotations"][1]["segmentation"] = [[1, 2, 9, 2, 9, 8]]
    path.write_text(json.dumps(truth))
    first = load_coco(path, data_dir / "images" / "train", None, ("hole", "blob")).pictures[0]
    assert np.array_equal(first.outlines[0][0], rectangle(first.boxes[0]))
    assert first.outlines[1][0].tolist() == [[1, 2], [9, 2], [9, 8]]
