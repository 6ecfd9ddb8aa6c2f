import json

import pytest

from app.cli.files import check_outputs, write_json, write_whole
from app.errors import UsageError


def test_a_file_is_written_with_its_folder(tmp_path):
    write_whole(tmp_path / "new" / "deep" / "file.bin", b"whole")

    assert (tmp_path / "new" / "deep" / "file.bin").read_bytes() == b"whole"


def test_no_draft_is_left_beside_it(tmp_path):
    write_whole(tmp_path / "file.bin", b"one")
    write_whole(tmp_path / "file.bin", b"two")

    assert [path.name for path in tmp_path.iterdir()] == ["file.bin"]
    assert (tmp_path / "file.bin").read_bytes() == b"two"


def test_what_was_there_stays_when_writing_fails(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").write_text("")

    with pytest.raises(UsageError, match="cannot be written"):
        write_whole(tmp_path / "folder", b"new")

    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_others_may_read_what_was_written(tmp_path):
    write_whole(tmp_path / "file.bin", b"")

    (tmp_path / "by-hand").write_bytes(b"")
    assert (tmp_path / "file.bin").stat().st_mode == (tmp_path / "by-hand").stat().st_mode


def test_a_number_that_is_none_is_not_written_as_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "file.json", [float("nan")])

    assert not list(tmp_path.iterdir())


def test_json_is_written_whole(tmp_path):
    write_json(tmp_path / "file.json", {"a": [1]})

    assert json.loads((tmp_path / "file.json").read_text()) == {"a": [1]}


def test_an_output_that_is_an_input_by_another_name_is_refused(tmp_path):
    (tmp_path / "input.png").write_bytes(b"")
    (tmp_path / "link.png").symlink_to(tmp_path / "input.png")

    with pytest.raises(UsageError, match="would be overwritten"):
        check_outputs([tmp_path / "link.png"], [tmp_path / "input.png"])


def test_outputs_of_their_own_are_allowed(tmp_path):
    check_outputs([tmp_path / "a", tmp_path / "new" / "b"], [tmp_path / "c"])
