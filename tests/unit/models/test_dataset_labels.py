import math
import struct

import cv2
import numpy as np
import pytest

from app.errors import DataError
from models.datasets.gather import gather, refuse_errors
from models.datasets.labels import judge
from models.datasets.picture_files import look_at
from models.datasets.records import Box, Reading, Sample
from tests.unit.models.dataset_sources import HEIGHT, WIDTH, texture, write_pictures


def _sample(folder, name="a.png", **more):
    if not (folder / name).exists():
        write_pictures(folder, [name])
    return Sample(name, folder / name, **more)


def _judged(folder, *boxes, **more):
    sample = _sample(folder, boxes=boxes, **more)
    return judge(sample, look_at(sample.image))


def _codes(found):
    return [(problem.code, problem.is_error) for problem in found.problems]


def _gather(folder, samples, classes=("hole",), **more):
    return gather(Reading("coco", folder, classes, tuple(samples)), **more)


# Boxes


@pytest.mark.parametrize(
    ("corners", "code"),
    [
        ((-9, 5, -2, 9), "outside"),
        ((WIDTH, 5, WIDTH + 4, 9), "outside"),
        ((5, 5, 5, 9), "empty-box"),
        ((9, 5, 4, 9), "empty-box"),
        ((math.nan, 5, 9, 9), "not-a-number"),
        ((5, 5, math.inf, 9), "not-a-number"),
        ((5, 5, 6.5, 30), "tiny"),
    ],
)
def test_box_that_cannot_be_right_is_taken_away_and_named(tmp_path, corners, code):
    good = Box(20, 20, 30, 30, "hole", "line 2")
    found = _judged(tmp_path, good, Box(*corners, "hole", "line 3"), label_file="a.txt")
    assert (found.sample.boxes, _codes(found)) == ((good,), [(code, True)])
    assert found.problems[0].where.endswith("of a.txt line 3")


@pytest.mark.parametrize(("boxes", "lost"), [((Box(5, 5, 5, 5, "hole"),), 0), ((), 1)])
def test_picture_that_loses_all_its_boxes_does_not_pass_for_good(tmp_path, boxes, lost):
    found = _judged(tmp_path, *boxes, lost=lost)
    assert (found.sample, found.problems[-1].code) == (None, "no-box-left")


def test_box_over_the_edge_is_named_and_cut_there(tmp_path):
    found = _judged(tmp_path, Box(50, 5, WIDTH + 9, 20, "hole"))
    assert (found.sample.boxes[0].x2, _codes(found)) == (WIDTH, [("over-edge", True)])


def test_box_over_the_edge_by_rounding_is_cut_without_a_word(tmp_path):
    found = _judged(tmp_path, Box(-0.4, 5, 20, HEIGHT + 0.9, "hole"))
    box = found.sample.boxes[0]
    assert (box.x1, box.y2, found.problems) == (0, HEIGHT, ())


def test_box_of_nearly_the_whole_picture_is_noted_and_kept(tmp_path):
    found = _judged(tmp_path, Box(0, 0, WIDTH, HEIGHT - 1, "hole"))
    assert (len(found.sample.boxes), _codes(found)) == (1, [("whole-picture", False)])


def test_box_given_twice_is_named_and_kept_once(tmp_path):
    found = _judged(tmp_path, Box(5, 5, 30, 30, "hole"), Box(5, 5, 30.2, 30, "hole"), Box(5, 5, 20, 30, "hole"))
    assert (len(found.sample.boxes), _codes(found)) == (2, [("box-twice", True)])


def test_boxes_of_two_classes_in_one_place_are_named(tmp_path):
    found = _judged(tmp_path, Box(5, 5, 30, 30, "hole"), Box(5, 5, 31, 30, "blob"))
    assert ([box.label for box in found.sample.boxes], _codes(found)) == (["hole"], [("two-classes", True)])


def test_fractions_become_pixels(tmp_path):
    found = _judged(tmp_path, Box(0.25, 0.5, 0.5, 1, "hole"), has_fractions=True)
    box = found.sample.boxes[0]
    assert (box.x1, box.y1, box.x2, box.y2) == (WIDTH / 4, HEIGHT / 2, WIDTH / 2, HEIGHT)


def test_good_part_with_a_box_is_left_out(tmp_path):
    found = _judged(tmp_path, Box(5, 5, 30, 30, "hole"), is_good=True)
    assert (found.sample, _codes(found)) == (None, [("good-with-boxes", True)])


# Pictures


def test_labels_of_a_picture_of_another_size_are_refused(tmp_path):
    found = _judged(tmp_path, size_px=(HEIGHT, WIDTH))
    assert (found.sample, _codes(found)) == (None, [("other-size", True)])


def test_picture_turned_by_exif_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.jpg"), texture(1))
    content = (tmp_path / "a.jpg").read_bytes()
    tiff = b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 3, 1, 6, 0) + struct.pack("<I", 0)
    segment = b"Exif\0\0" + tiff
    turned = content[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + content[2:]
    (tmp_path / "a.jpg").write_bytes(turned)
    sample = _sample(tmp_path, "a.jpg")
    assert _codes(judge(sample, look_at(sample.image))) == [("exif-rotation", True)]


def test_picture_of_16_bits_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), texture(1).astype(np.uint16) * 257)
    assert _codes(_judged(tmp_path)) == [("deep", True)]
    assert look_at(tmp_path / "a.png").brightness == pytest.approx(texture(1).mean(), abs=1)


@pytest.mark.parametrize(("alpha", "codes"), [(255, []), (40, [("transparent", True)])])
def test_transparent_picture_is_refused_and_an_opaque_one_is_not(tmp_path, alpha, codes):
    grey = texture(1)
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([grey, grey, grey, np.full_like(grey, alpha)]))
    assert _codes(_judged(tmp_path)) == codes


def test_suffix_that_lies_is_noted(tmp_path):
    write_pictures(tmp_path, ["b.png"])
    (tmp_path / "b.png").rename(tmp_path / "a.jpg")
    sample = _sample(tmp_path, "a.jpg")
    assert _codes(judge(sample, look_at(sample.image))) == [("wrong-suffix", False)]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("kept", [0.95, 0.5, 0.02])
def test_truncated_picture_is_refused(tmp_path, suffix, kept):
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), texture(1))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DataError, match=r"cut off|no picture"):
        look_at(path)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\xff\xd8", b"\x89PNG\r\n\x1a\n"])
def test_file_that_is_no_picture_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError):
        look_at(tmp_path / "a.png")


def test_picture_that_promises_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    write_pictures(tmp_path, ["a.png"])
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match="over 100 megapixels"):
        look_at(tmp_path / "a.png")


def test_grey_picture_kept_in_colour_counts_as_grey(tmp_path):
    grey = cv2.cvtColor(texture(1), cv2.COLOR_GRAY2BGR)
    cv2.imwrite(str(tmp_path / "grey.jpg"), grey)
    grey[:, :, 0] //= 3
    cv2.imwrite(str(tmp_path / "colour.jpg"), grey)
    assert [look_at(tmp_path / f"{name}.jpg").is_colour for name in ("grey", "colour")] == [False, True]


# A whole source


def test_unreadable_picture_is_named_and_the_others_are_kept(tmp_path):
    (tmp_path / "b.png").write_bytes(b"nothing")
    found = _gather(tmp_path, [_sample(tmp_path), Sample("b.png", tmp_path / "b.png")], ())
    assert [entry.sample.name for entry in found.entries] == ["a.png"]
    assert [(each.code, each.file) for each in found.problems] == [("unreadable", "b.png")]


def test_first_error_and_their_number_stop_an_import(tmp_path):
    boxes = (Box(5, 5, 5, 5, "hole"), Box(9, 9, 9, 9, "hole"), Box(9, 9, 19, 19, "hole"))
    samples = [_sample(tmp_path, boxes=boxes)]
    with pytest.raises(DataError, match=r"a\.png, hole box \(5, 5, 5, 5\): has no area \(1 of 2\); .*--drop-bad"):
        refuse_errors(_gather(tmp_path, samples), tmp_path)


def test_same_picture_twice_is_kept_once_and_refused_where_its_labels_differ(tmp_path):
    write_pictures(tmp_path, ["a.png"])
    for name in ("b.png", "c.png"):
        (tmp_path / name).write_bytes((tmp_path / "a.png").read_bytes())
    box = Box(5, 5, 30, 30, "hole")
    alike = _gather(tmp_path, [_sample(tmp_path, name, boxes=(box,)) for name in ("a.png", "b.png")])
    assert ([entry.sample.name for entry in alike.entries], _codes(alike)) == (["a.png"], [("same-picture", False)])
    differing = _gather(tmp_path, [_sample(tmp_path, boxes=(box,)), _sample(tmp_path, "c.png")])
    assert (differing.entries, differing.problems[0].code, differing.problems[0].is_error) == ((), "same-picture", True)


def test_same_picture_in_two_splits_is_an_error(tmp_path):
    write_pictures(tmp_path, ["a.png"])
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    found = _gather(tmp_path, [_sample(tmp_path, split="train"), _sample(tmp_path, "b.png", split="test")], ())
    assert ("two-splits", True) in _codes(found)


def test_golden_sample_is_found_by_stem_and_must_have_the_pictures_size(tmp_path):
    golden = tmp_path / "golden"
    write_pictures(golden, ["a.png", "b.png"])
    cv2.imwrite(str(golden / "b.png"), np.zeros((9, 9), np.uint8))
    write_pictures(tmp_path, ["a.png", "b.png", "c.png"])
    found = _gather(tmp_path, [_sample(tmp_path, f"{name}.png") for name in "abc"], (), golden=golden)
    assert [entry.sample.golden for entry in found.entries] == [golden / "a.png"]
    assert [(each.code, each.file) for each in found.errors] == [("golden-size", "b.png"), ("no-golden", "c.png")]


def test_what_the_whole_set_lacks_is_noted(tmp_path):
    write_pictures(tmp_path, ["a.png", "b.png"])
    cv2.imwrite(str(tmp_path / "b.png"), cv2.applyColorMap(texture(3, 20, 20), cv2.COLORMAP_JET))
    samples = [_sample(tmp_path), _sample(tmp_path, "b.png", is_good=False, defect="dent")]
    found = _gather(tmp_path, samples, ("dent", "hole"))
    assert [each.code for each in found.problems] == [
        "no-example",
        "defective-without-box",
        "sizes-differ",
        "depth-differs",
    ]
    assert found.problems[0].why == "class hole has no example"


def test_source_without_a_usable_picture_is_an_error(tmp_path):
    assert _codes(_gather(tmp_path, [])) == [("empty", True)]
