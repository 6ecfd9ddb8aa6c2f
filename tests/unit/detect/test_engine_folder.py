"""Folders of engines that a library keeps by itself: trusted, or told and not used."""

import os

import pytest

from app.detect import engine_folder
from app.detect.engine_folder import MAX_FOLDERS, folder_for


@pytest.fixture
def notes():
    return []


@pytest.fixture
def asked(tmp_path, notes):
    """Asks for the folder of a name."""
    return lambda name="aa": folder_for(name, tmp_path / "engines", notes.append)


def test_each_name_has_a_folder_of_its_own_that_only_its_owner_can_write(asked, notes, tmp_path):
    folder = asked()
    assert folder == tmp_path / "engines" / "aa.engines"
    assert [path.stat().st_mode & 0o022 for path in (folder, folder.parent)] == [0, 0]
    assert asked("bb") != asked() == folder
    assert notes == []


def test_engines_that_are_there_stay(asked):
    (asked() / "kernel.engine").write_bytes(b"machine code")
    assert (asked() / "kernel.engine").read_bytes() == b"machine code"


@pytest.mark.parametrize("what", ["folder", "place", "file"])
def test_what_others_can_write_is_told_and_not_used(asked, notes, what):
    folder = asked()
    (folder / "kernel.engine").write_bytes(b"machine code")
    path = {"folder": folder, "place": folder.parent, "file": folder / "kernel.engine"}[what]
    path.chmod(0o777)
    assert asked() is None
    assert notes == [f"{path} can be written by others; its engines are built anew and not kept"]


def test_file_of_another_user_is_told_and_not_used(asked, notes, monkeypatch):
    folder = asked()
    (folder / "kernel.engine").write_bytes(b"machine code")
    monkeypatch.setattr(engine_folder.os, "geteuid", lambda: 4711)
    owner = os.stat_result((0o100644, 0, 0, 1, 4712, 0, 1, 0, 0, 0))
    real = engine_folder.Path.lstat
    monkeypatch.setattr(
        engine_folder.Path, "lstat", lambda path: owner if path.suffix == ".engine" else owned_by_root(real(path))
    )
    assert asked() is None
    assert "kernel.engine belongs to another user (number 4712)" in notes[0]


def test_link_is_told_and_not_followed(asked, notes, tmp_path):
    folder = asked()
    (folder / "kernel.engine").symlink_to(tmp_path / "elsewhere")
    assert asked() is None
    assert notes == [f"{folder / 'kernel.engine'} is no regular file; its engines are built anew and not kept"]


def test_folder_that_is_a_link_is_told_and_not_followed(asked, notes, tmp_path):
    folder = asked()
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    assert asked() is None
    assert "is no folder of its own" in notes[0]


def test_place_that_cannot_be_made_is_told(tmp_path, notes):
    (tmp_path / "engines").write_text("a file")
    assert folder_for("aa", tmp_path / "engines", notes.append) is None
    assert len(notes) == 1


def test_folders_that_nobody_asks_for_any_more_are_removed(asked):
    paths = [asked(f"{number:02d}") for number in range(MAX_FOLDERS)]
    for age, path in enumerate(reversed(paths)):
        os.utime(path, (1000 - age, 1000 - age))
    newest = asked("new")
    assert sorted(each for each in newest.parent.iterdir()) == sorted([*paths[1:], newest])


def owned_by_root(found):
    return os.stat_result((found.st_mode, 0, 0, 1, 0, 0, 1, 0, 0, 0))
