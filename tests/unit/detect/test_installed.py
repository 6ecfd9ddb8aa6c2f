"""The copies of packages that a station keeps, as its zoo is read-only."""

import os
import shutil
from types import SimpleNamespace

import pytest

from app.detect import installed
from app.detect.installed import PACKAGES, content_hash, folder_of
from app.detect.pointer import read_pointer
from app.detect.registry import package_of
from app.detect.zoo import chosen_package, find_package
from app.errors import PackageError
from tests.unit.detect.conftest import is_right, label
from tests.unit.detect.tiny_model import write_package


def test_a_folder_outside_the_zoo_is_copied_and_the_copy_is_what_judges(station):
    source = station.brought("new", "2.1")
    change = station.activate(source)
    content = content_hash(source)
    shutil.rmtree(source)

    active = read_pointer(station.state).active
    package = package_of(active, station.state, station.zoo)
    assert (
        package.folder == station.state / PACKAGES / "new" / f"2.1-{content[:12]}" == folder_of(station.state, active)
    )
    assert change.package.folder == package.folder
    assert is_right(package).frames == 1


def test_what_is_proven_is_the_copy(station):
    source = station.brought("new")

    def meddle(package):
        (source / "model.onnx").write_bytes(b"another")
        return is_right(package)

    station.activate(source, meddle)

    assert package_of(read_pointer(station.state).active, station.state, station.zoo).name == "new"


def test_everybody_may_read_a_copy_whatever_the_mask_of_who_made_it(station):
    source = station.brought("new")
    before = os.umask(0o077)
    try:
        folder = station.activate(source).package.folder
    finally:
        os.umask(before)

    modes = {each.stat().st_mode & 0o777 for each in folder.rglob("*") if each.is_file()}
    assert modes == {0o644}
    for each in (folder, folder / "golden", folder.parent, folder.parent.parent):
        assert each.stat().st_mode & 0o777 == 0o755


def test_the_same_package_again_is_the_same_copy(station):
    for _ in range(2):
        station.activate(station.brought("new"))

    assert station.copies == ["new/1.0.0"]
    assert station.history == []


def test_one_version_with_other_content_is_another_copy(station):
    station.activate(station.brought("new"))
    station.activate(station.brought("new", score_threshold="0.3"))

    assert len(station.copies) == 2
    assert station.history == [label("new")]


def test_a_copy_that_was_damaged_is_replaced(station):
    source = station.brought("new")
    folder = station.activate(source).package.folder
    (folder / "card.md").unlink()

    station.activate(source)

    assert (folder / "card.md").is_file()
    assert station.copies == ["new/1.0.0"]


def test_the_active_copy_and_the_three_before_it_are_kept(station):
    for version in "12345":
        station.activate(station.brought("new", version))

    assert station.active == label("new", "5")
    assert station.history == [label("new", version) for version in "432"]
    assert station.copies == ["new/2", "new/3", "new/4", "new/5"]


def test_packages_of_the_zoo_count_among_the_three(station):
    for named in (station.brought("new"), "first", "second", station.brought("new", "2"), station.brought("new", "3")):
        station.activate(named)

    assert station.history == [label("new", "2"), label("second"), label("first")]
    assert station.copies == ["new/2", "new/3"]
    assert (station.zoo / "first").is_dir()


def test_a_copy_can_be_activated_by_name_and_by_folder(station):
    folder = station.activate(station.brought("new")).package.folder
    station.activate("first")

    assert station.activate("new").active.is_installed
    station.activate("first")
    assert station.activate(folder).active.is_installed
    assert station.copies == ["new/1.0.0"]


def test_a_copy_that_was_changed_is_not_activated(station):
    folder = station.activate(station.brought("new")).package.folder
    station.activate("first")
    (folder / "card.md").write_text("another card")

    with pytest.raises(PackageError, match="was changed since it was installed"):
        station.activate(folder)


def test_a_folder_of_the_zoo_under_another_name_is_copied(station):
    write_package(station.zoo / "old-name", name='"renamed"')

    assert station.activate(station.zoo / "old-name").active.is_installed
    assert find_package(chosen_package("active", station.state), station.zoo).name == "renamed"


def test_hidden_files_are_not_copied(station):
    source = station.brought("new")
    (source / ".git").mkdir()
    (source / ".git" / "index").write_bytes(b"x")
    (source / ".notes").write_text("mine")

    folder = station.activate(source).package.folder

    assert sorted(each.name for each in folder.iterdir()) == ["card.md", "golden", "manifest.toml", "model.onnx"]


def test_a_link_to_a_file_of_the_package_is_copied_as_that_file(station):
    source = station.brought("new")
    (source / "also.md").symlink_to("card.md")

    copy = station.activate(source).package.folder / "also.md"

    assert copy.is_file()
    assert not copy.is_symlink()


@pytest.mark.parametrize("kind", ["file outside", "folder", "pipe", "nowhere"])
def test_what_is_no_file_of_the_package_is_refused(station, tmp_path, kind):
    source = station.brought("new")
    if kind == "pipe":
        os.mkfifo(source / "odd")
    else:
        (tmp_path / "secret").write_text("x")
        target = {"file outside": tmp_path / "secret", "folder": "golden", "nowhere": "nowhere"}[kind]
        (source / "odd").symlink_to(target)

    with pytest.raises(PackageError, match="has odd, which is no file of its own"):
        station.activate(source)

    assert station.active is None
    assert station.copies == []


def test_too_many_files_are_refused(station, monkeypatch):
    monkeypatch.setattr(installed, "MAX_FILES", 4)
    with pytest.raises(PackageError, match="more than 4 files"):
        station.activate(station.brought("new"))


def test_a_package_that_is_too_large_is_refused(station, monkeypatch):
    monkeypatch.setattr(installed, "MAX_BYTES", 1000)
    with pytest.raises(PackageError, match="more than 1000"):
        station.activate(station.brought("new"))


def test_the_disk_is_not_filled_to_the_brim(station, monkeypatch):
    usage = SimpleNamespace(free=installed.LEAST_FREE_BYTES + 100)
    monkeypatch.setattr(installed.shutil, "disk_usage", lambda _: usage)

    with pytest.raises(PackageError, match="make room"):
        station.activate(station.brought("new"))

    assert station.active is None


def test_what_cannot_be_removed_is_told_and_goes_the_next_time(station, monkeypatch):
    for version in "1234":
        station.activate(station.brought("new", version))
    remove = shutil.rmtree

    def busy(path, *, ignore_errors=False):
        if path.name != installed.OUTGOING:
            remove(path, ignore_errors=ignore_errors)
        elif not ignore_errors:
            raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(installed.shutil, "rmtree", busy)
    change = station.activate(station.brought("new", "5"))
    monkeypatch.undo()

    assert [each.name for each in change.left] == [installed.OUTGOING]
    assert station.copies == ["new/2", "new/3", "new/4", "new/5"]
    assert station.active == label("new", "5")
    station.activate(station.brought("new", "6"))
    assert not [each for each in (station.state / PACKAGES).iterdir() if each.name.startswith(".")]
