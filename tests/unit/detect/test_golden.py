"""Golden samples: found by name, read once, bounded in memory."""

import pickle

import numpy as np
import pytest

from app.detect.golden import MAX_CACHED, GoldenSamples
from app.errors import DataError


class Reader:
    """Reads nothing, and remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, path):
        self.asked.append(path.name)
        return np.zeros((4, 4), np.uint8)


@pytest.fixture
def reader():
    return Reader()


@pytest.fixture
def folder(tmp_path):
    for index in range(MAX_CACHED + 1):
        (tmp_path / f"board-{index}.png").write_bytes(b"x")
    return tmp_path


def test_one_picture_serves_all_parts(folder, reader):
    samples = GoldenSamples(folder / "board-3.png", reader)
    assert samples.find("a.jpg") is samples.find("")
    assert reader.asked == ["board-3.png"]


def test_one_picture_is_read_at_once_so_that_a_bad_one_is_known_early(folder, reader):
    GoldenSamples(folder / "board-3.png", reader)
    assert reader.asked == ["board-3.png"]


def test_picture_of_a_folder_is_found_whatever_its_suffix(folder, reader):
    GoldenSamples(folder, reader).find("board-2.jpg")
    assert reader.asked == ["board-2.png"]


def test_pictures_of_a_folder_are_read_when_they_are_wanted(folder, reader):
    GoldenSamples(folder, reader)
    assert reader.asked == []


def test_sample_stays_the_same_array_while_it_is_in_memory(folder, reader):
    samples = GoldenSamples(folder, reader)
    assert samples.find("board-2.jpg") is samples.find("board-2.jpg")


def test_sample_cannot_be_written(folder, reader):
    assert not GoldenSamples(folder, reader).find("board-2.png").flags.writeable


def test_sample_that_was_used_longest_ago_is_forgotten(folder, reader):
    samples = GoldenSamples(folder, reader)
    for index in range(MAX_CACHED):
        samples.find(f"board-{index}.png")
    samples.find("board-0.png")
    samples.find(f"board-{MAX_CACHED}.png")
    samples.find("board-0.png")
    samples.find("board-1.png")
    assert reader.asked[MAX_CACHED:] == [f"board-{MAX_CACHED}.png", "board-1.png"]


def test_part_without_sample_is_an_error(folder, reader):
    with pytest.raises(DataError, match=r"holds no golden sample of 'other\.jpg'"):
        GoldenSamples(folder, reader).find("other.jpg")


def test_two_samples_of_one_name_are_an_error_when_that_one_is_wanted(folder, reader):
    (folder / "board-2.bmp").write_bytes(b"x")
    samples = GoldenSamples(folder, reader)
    samples.find("board-1.jpg")
    with pytest.raises(DataError, match=r"holds both board-2\.bmp and board-2\.png"):
        samples.find("board-2.jpg")


def test_empty_folder_is_an_error(tmp_path, reader):
    (tmp_path / ".hidden").write_bytes(b"x")
    with pytest.raises(DataError, match="is empty"):
        GoldenSamples(tmp_path, reader)


def test_samples_can_be_handed_to_another_process(tmp_path):
    (tmp_path / "a.png").touch()
    handed = pickle.loads(pickle.dumps(GoldenSamples(tmp_path, _grey)))
    assert handed.find("a.png")[0, 0] == 7


def _grey(_path):
    return np.full((2, 2), 7, np.uint8)
