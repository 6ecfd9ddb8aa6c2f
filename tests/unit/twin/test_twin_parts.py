import json

import numpy as np
import pytest

from app.errors import DataError
from app.twin.parts import PictureParts, RenderedParts

PICTURE = np.zeros((4, 4), np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Three pictures, of which b.jpg is bad, with their truth and the good ones' templates."""
    parts, good = tmp_path / "parts", tmp_path / "good"
    for place, names in ((parts, ("a.jpg", "b.jpg", "c.jpg", "notes.txt")), (good, ("a.png", "b.png"))):
        place.mkdir()
        for name in names:
            (place / name).write_bytes(b"")
    write_truth(tmp_path, ["a.jpg", "b.jpg", "c.jpg", "elsewhere.jpg"], ["b.jpg"])
    return tmp_path


def write_truth(folder, names, bad):
    images = [{"id": number, "file_name": f"images/{name}"} for number, name in enumerate(names)]
    annotations = [{"id": n, "image_id": names.index(name), "category_id": 1} for n, name in enumerate(bad)]
    (folder / "truth.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": []}))


def parts_of(folder, **changes):
    arguments = {"truth": folder / "truth.json", "read_picture": lambda path: PICTURE, **changes}
    return PictureParts(folder / "parts", **arguments)


def names(source):
    return [source[index].name for index in range(len(source))]


def test_pictures_come_once_each_and_badness_is_what_the_truth_says(folder):
    source = parts_of(folder)
    assert sorted(names(source)) == ["a.jpg", "b.jpg", "c.jpg"]
    assert {source[i].name for i in range(3) if source[i].is_bad} == {"b.jpg"}


def test_good_pictures_are_sent_too(folder):
    source = parts_of(folder, good_from=folder / "good")
    assert sorted(names(source)) == ["a.jpg", "a.png", "b.jpg", "b.png", "c.jpg"]
    assert [source[i].name for i in range(5) if source[i].is_bad] == ["b.jpg"]


def test_without_a_truth_the_pictures_beside_good_ones_are_bad(folder):
    source = parts_of(folder, truth=None, good_from=folder / "good")
    assert {source[i].name for i in range(5) if source[i].is_bad} == {"a.jpg", "b.jpg", "c.jpg"}


def test_more_parts_than_pictures_are_whole_passes_in_orders_of_their_own(folder):
    source = parts_of(folder, good_from=folder / "good", count=40)
    passes = [names(source)[start : start + 5] for start in range(0, 40, 5)]
    assert all(sorted(each) == sorted(passes[0]) for each in passes)
    assert len({tuple(each) for each in passes}) > 1


def test_order_depends_on_the_seed_alone(folder):
    assert names(parts_of(folder, count=12, seed=1)) == names(parts_of(folder, count=12, seed=1))
    assert names(parts_of(folder, count=12, seed=1)) != names(parts_of(folder, count=12, seed=2))


def test_picture_is_read_when_it_is_looked_at_and_not_before(folder):
    read = []

    def reader(path):
        read.append(path.name)
        return PICTURE

    source = parts_of(folder, read_picture=reader)
    piece = source[0]
    assert read == []
    assert piece.image is PICTURE
    assert read == [piece.name]


def test_index_out_of_range_ends_an_iteration(folder):
    assert len(list(parts_of(folder))) == 3
    with pytest.raises(IndexError):
        parts_of(folder)[-1]


def test_neither_truth_nor_good_pictures_is_refused(folder):
    with pytest.raises(DataError, match="nothing tells"):
        parts_of(folder, truth=None)


@pytest.mark.parametrize("key", ["parts", "good"])
def test_missing_folder_is_refused(folder, key):
    (folder / key).rename(folder / "moved")
    with pytest.raises(DataError, match="does not exist"):
        parts_of(folder, good_from=folder / "good")


def test_folder_without_pictures_is_refused(folder):
    for path in (folder / "parts").glob("*.jpg"):
        path.unlink()
    with pytest.raises(DataError, match="no pictures"):
        parts_of(folder)


def test_no_parts_are_refused(folder):
    with pytest.raises(DataError, match="0 parts"):
        parts_of(folder, count=0)


def test_truth_for_other_pictures_is_refused_with_examples(folder):
    write_truth(folder, ["x.jpg"], [])
    with pytest.raises(DataError, match=r"none of the 3 pictures.*a\.jpg, b\.jpg, c\.jpg"):
        parts_of(folder)


def test_truth_that_lacks_a_picture_is_refused_with_its_name(folder):
    write_truth(folder, ["a.jpg", "b.jpg"], [])
    with pytest.raises(DataError, match=r"only 2 of the 3 pictures.*c\.jpg"):
        parts_of(folder)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", '{"images": []}', '{"images": [{}], "annotations": []}', '{"images": 1, "annotations": []}'],
)
def test_file_that_is_no_coco_is_refused(folder, content):
    (folder / "truth.json").write_text(content)
    with pytest.raises(DataError, match=r"truth\.json"):
        parts_of(folder)


def test_binary_truth_is_refused(folder):
    (folder / "truth.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        parts_of(folder)


def test_missing_truth_is_refused(folder):
    with pytest.raises(DataError, match="does not exist"):
        parts_of(folder, truth=folder / "nowhere.json")


def test_annotation_of_an_unlisted_image_is_refused(folder):
    content = json.loads((folder / "truth.json").read_text())
    content["annotations"].append({"id": 9, "image_id": 77})
    (folder / "truth.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="77"):
        parts_of(folder)


def test_image_id_that_is_used_twice_is_refused(folder):
    content = json.loads((folder / "truth.json").read_text())
    content["images"][1]["id"] = content["images"][0]["id"]
    (folder / "truth.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="same id"):
        parts_of(folder)


def test_rendered_parts_are_bad_at_their_rate():
    source = RenderedParts(seed=3, count=1000, defect_rate=0.1)
    assert 70 <= sum(source[i].is_bad for i in range(1000)) <= 130
    assert not any(piece.is_bad for piece in RenderedParts(3, 50, 0.0))
    assert all(piece.is_bad for piece in RenderedParts(3, 50, 1.0))


def test_rendered_part_is_the_same_however_often_it_is_looked_at():
    source = RenderedParts(seed=3, count=5)
    assert np.array_equal(source[2].image, source[2].image)
    assert not np.array_equal(source[2].image, source[3].image)


def test_rendered_parts_of_another_seed_differ():
    assert not np.array_equal(RenderedParts(1, 1)[0].image, RenderedParts(2, 1)[0].image)


@pytest.mark.parametrize(("count", "rate"), [(0, 0.1), (5, 1.5), (5, -0.1)])
def test_impossible_rendered_parts_are_refused(count, rate):
    with pytest.raises(DataError, match="cannot be made"):
        RenderedParts(1, count, rate)
