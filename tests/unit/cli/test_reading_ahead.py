import threading

import numpy as np
import pytest

from app.cli.reading import read_ahead
from app.detect.golden import GoldenSamples
from app.errors import DataError


def _paths(tmp_path, count):
    return [tmp_path / f"{number:03}.png" for number in range(count)]


def _picture(path):
    return np.full((2, 2), int(path.stem), np.uint8)


def test_pictures_come_in_order(tmp_path):
    paths = _paths(tmp_path, 50)
    with read_ahead(paths, _picture) as read:
        assert [int(read(path)[0, 0]) for path in paths] == list(range(50))


def test_another_thread_reads_a_few_ahead_and_no_more(tmp_path):
    paths, seen, fourth, fifth = _paths(tmp_path, 20), [], threading.Event(), threading.Event()

    def slow(path):
        seen.append((path, threading.get_ident()))
        {4: fourth, 5: fifth}.get(len(seen), threading.Event()).set()
        return _picture(path)

    with read_ahead(paths, slow) as read:
        assert fourth.wait(10)  # before anybody asked
        assert not fifth.wait(0.2)
        read(paths[0])
        assert fifth.wait(10)
    assert threading.get_ident() not in {ident for _, ident in seen}
    assert [path for path, _ in seen] == paths[: len(seen)]


def test_picture_that_cannot_be_read_fails_when_it_is_asked_for(tmp_path):
    paths = _paths(tmp_path, 5)

    def read_some(path):
        if path == paths[1]:
            raise DataError("torn", "mend it")
        return _picture(path)

    with read_ahead(paths, read_some) as read:
        assert read(paths[0])[0, 0] == 0
        with pytest.raises(DataError, match="torn"):
            read(paths[1])
        assert read(paths[2])[0, 0] == 2


def test_golden_sample_is_read_ahead_and_its_absence_is_left_to_the_judge(tmp_path):
    paths, folder, by = _paths(tmp_path, 9), tmp_path / "good", {}
    folder.mkdir()
    for path in paths[:-1]:
        (folder / path.name).touch()

    def read_golden(path):
        by[path.name] = threading.get_ident()
        return _picture(path)

    goldens = GoldenSamples(folder, read_golden)
    with read_ahead(paths, _picture, goldens.find) as read:
        for path in paths[:-1]:
            read(path)
            assert goldens.find(path.name)[0, 0] == int(path.stem)
        assert read(paths[-1])[0, 0] == 8
        with pytest.raises(DataError, match="no golden sample"):
            goldens.find(paths[-1].name)
    assert len(by) == 8
    assert threading.get_ident() not in by.values()


def test_judge_that_stops_early_leaves_no_thread_reading(tmp_path):
    before = threading.active_count()
    with read_ahead(_paths(tmp_path, 500), _picture) as read:
        read(tmp_path / "000.png")
    for thread in threading.enumerate():
        if thread.name.startswith("reading"):
            thread.join(10)
    assert threading.active_count() <= before
