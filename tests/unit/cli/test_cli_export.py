import json
import shutil
import zipfile
from types import SimpleNamespace

import pytest

from tests.unit.cli.conftest import only_sentence
from tests.unit.web.test_lot_exports import made


@pytest.fixture
def state(tmp_path):
    return made(tmp_path / "state")


def test_parts_are_written_with_their_pictures(takt, state, tmp_path):
    document, result = takt.json("export", "--out", tmp_path / "lot.zip", "--state", state)

    found = zipfile.ZipFile(tmp_path / "lot.zip")
    assert (result.exit_code, document["parts"]) == (0, 4)
    assert document["bytes"] == (tmp_path / "lot.zip").stat().st_size
    assert len(json.loads(found.read("annotations.json"))["images"]) == 3


def test_a_filter_chooses(takt, state, tmp_path):
    document, _ = takt.json("export", "--out", tmp_path / "lot.zip", "--state", state, "--lot", "another")

    assert document["parts"] == 0


def test_an_export_larger_than_the_disk_is_refused_with_both_figures(takt, state, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: SimpleNamespace(free=100))

    result = takt.run("export", "--out", tmp_path / "lot.zip", "--state", state)

    assert result.exit_code == 4
    assert "takes up to 0.02 MB, and" in only_sentence(result.stderr)
    assert "0.00 MB free" in result.stderr
    assert not (tmp_path / "lot.zip").exists()


def test_a_picture_that_is_no_file_any_more_is_listed(takt, state, tmp_path):
    (state / "pictures" / "1.png").unlink()
    (state / "pictures" / "1.png").mkdir()

    document, result = takt.json("export", "--out", tmp_path / "lot.zip", "--state", state)

    assert (result.exit_code, document["parts"]) == (0, 4)
    assert "the file is not there" in zipfile.ZipFile(tmp_path / "lot.zip").read("gone.csv").decode()


@pytest.mark.parametrize("words", [("--label", "nice"), ("--from", "1890-01-01")])
def test_a_filter_that_makes_no_sense_is_refused(takt, state, tmp_path, words):
    result = takt.run("export", "--out", tmp_path / "lot.zip", "--state", state, *words)

    assert (result.exit_code, "makes no sense" in only_sentence(result.stderr)) == (2, True)


def test_a_folder_without_a_ledger_is_refused(takt, tmp_path):
    result = takt.run("export", "--out", tmp_path / "lot.zip", "--state", tmp_path)

    assert (result.exit_code, "holds no ledger" in only_sentence(result.stderr)) == (12, True)
