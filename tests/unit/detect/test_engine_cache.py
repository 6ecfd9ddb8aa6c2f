"""Engines that were built here: kept whole or not at all, and never loaded unless everything about them is right."""

import json
import os
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.detect import engine_cache, engine_folder
from app.detect.engine_cache import EngineCache, EngineKey
from app.detect.engine_folder import default_folder

KEY = EngineKey("Orin", "8.7", "TensorRT 10.3.0", "ab" * 32, {"dla_core": "none", "workspace_bytes": "1000"})
ENGINE = bytes(range(256)) * 8


@pytest.fixture
def notes():
    return []


@pytest.fixture
def cache(tmp_path, notes):
    return EngineCache(tmp_path / "engines", note=notes.append)


@pytest.fixture
def file(cache):
    """A kept engine's file."""
    cache.store(KEY, ENGINE)
    return cache.folder / KEY.file_name


def key(number):
    return replace(KEY, model_sha256=f"{number:064}")


def owned_by(user, ask):
    """What the system says of a file, were it this user's."""

    def answer(path):
        found = list(ask(path))
        return os.stat_result((*found[:4], user, *found[5:]))

    return answer


def kept(cache, count):
    return [number for number in range(count) if (cache.folder / key(number).file_name).is_file()]


def test_engine_is_loaded_as_it_was_kept(cache, notes):
    cache.store(KEY, ENGINE)
    assert cache.load(KEY) == ENGINE
    assert notes == []


def test_engine_that_was_never_kept_is_none_without_a_word(cache, notes):
    assert cache.load(KEY) is None
    cache.store(KEY, ENGINE)
    assert cache.load(key(1)) is None
    assert notes == []


@pytest.mark.parametrize(
    "changes",
    [
        {"gpu": "Thor"},
        {"capability": "11.0"},
        {"library": "TensorRT 10.7.0"},
        {"library": "TensorRT-RTX 10.3.0"},
        {"model_sha256": "cd" * 32},
        {"options": {"dla_core": "0", "workspace_bytes": "1000"}},
        {"options": {"dla_core": "none", "workspace_bytes": "1001"}},
        {"build": 2},
    ],
)
def test_engine_of_another_key_is_never_loaded_even_under_its_name(cache, file, notes, changes):
    other = replace(KEY, **changes)
    assert other.file_name != KEY.file_name
    shutil.copy(file, cache.folder / other.file_name)
    assert cache.load(other) is None
    assert f"was built for another {next(iter(changes))}" in notes[0]
    assert "the engine is built anew" in notes[0]


@pytest.mark.parametrize(
    "changes",
    [{"gpu": "Thor"}, {"capability": "11.0"}, {"library": "TensorRT 10.7.0"}, {"options": {"dla_core": "0"}}],
)
def test_engine_of_the_same_model_for_another_device_or_version_is_told_when_none_is_kept_for_this_one(
    cache, file, notes, changes
):
    assert cache.load(replace(KEY, **changes)) is None
    assert len(notes) == 1
    assert notes[0].startswith(f"{file} was built for another {next(iter(changes))} (")


def test_files_that_are_no_engines_are_not_told_of_while_another_is_looked_for(cache, file, notes):
    (cache.folder / "a.engine").write_bytes(b"\0" * 100)
    (cache.folder / "b.engine").write_bytes(b"takt engine 1\n[]\n")
    (cache.folder / "c.engine").symlink_to(file)
    (cache.folder / "d.engine").mkdir()
    file.unlink()
    assert cache.load(KEY) is None
    assert notes == []


@given(st.data())
def test_engine_that_was_changed_anywhere_is_never_loaded(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "changed"
    notes = []
    cache = EngineCache(folder, note=notes.append)
    if not folder.exists():
        cache.store(KEY, ENGINE)
        (folder / "whole").write_bytes((folder / KEY.file_name).read_bytes())
    whole = bytearray((folder / "whole").read_bytes())
    if data.draw(st.booleans(), label="cut"):
        changed = whole[: data.draw(st.integers(0, len(whole) - 1), label="to")]
    else:
        at = data.draw(st.integers(0, len(whole) - 1), label="at")
        whole[at] ^= data.draw(st.integers(1, 255), label="bits")
        changed = whole
    (folder / KEY.file_name).write_bytes(changed)
    # A changed blank between two parts of the header changes nothing that is said there.
    if cache.load(KEY) is None:
        assert len(notes) == 1
    else:
        assert cache.load(KEY) == ENGINE


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no engine of this version"),
        (b"\0" * 5000, "is no engine of this version"),
        (b"takt engine 1\n", "has a header that cannot be read"),
        (b"takt engine 1\n" + b"[" * 100_000 + b"\n", "has a header that cannot be read"),
        (b"takt engine 1\n[]\nx", "has a header that cannot be read"),
        (b'takt engine 1\n{"key": 5, "bytes": 1, "sha256": ""}\nx', "was built for another key"),
    ],
)
def test_file_that_is_no_engine_is_passed_over(cache, file, notes, content, words):
    file.write_bytes(content)
    assert cache.load(KEY) is None
    assert words in notes[0]


def test_truncated_engine_is_told_with_both_sizes(cache, file, notes):
    file.write_bytes(file.read_bytes()[:-10])
    assert cache.load(KEY) is None
    assert "holds 2038 bytes of an engine where 2048 were written" in notes[0]


def test_passed_over_engine_is_replaced_by_the_next_one(cache, file):
    file.write_bytes(b"junk")
    cache.store(KEY, ENGINE)
    assert cache.load(KEY) == ENGINE


@pytest.mark.parametrize("mode", [0o646, 0o664, 0o666])
def test_engine_that_others_may_write_is_passed_over(cache, file, notes, mode):
    file.chmod(mode)
    assert cache.load(KEY) is None
    assert notes == [f"{file} can be written by others; the engine is built anew"]


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_nothing_is_loaded_from_or_kept_in_a_folder_that_others_may_write(cache, file, notes, mode):
    cache.folder.chmod(mode)
    before = file.read_bytes()
    assert cache.load(KEY) is None
    cache.store(KEY, b"another")
    assert file.read_bytes() == before
    assert notes == [
        f"{cache.folder} can be written by others; the engine is built anew",
        f"{cache.folder} can be written by others; the engine is not kept",
    ]


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_belongs_to_another_user_is_passed_over(cache, file, notes, monkeypatch, what):
    theirs = file if what == "file" else cache.folder
    with monkeypatch.context() as patched:
        if what == "file":
            patched.setattr(engine_cache.os, "fstat", owned_by(4711, os.fstat))
        else:
            patched.setattr(type(cache.folder), "lstat", owned_by(4711, os.lstat))
        assert cache.load(KEY) is None
    assert notes == [f"{theirs} belongs to another user (number 4711); the engine is built anew"]


def test_what_root_keeps_may_be_loaded_by_the_station(cache, file, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(engine_cache.os, "geteuid", lambda: 4711)
        patched.setattr(engine_cache.os, "fstat", owned_by(0, os.fstat))
        patched.setattr(type(cache.folder), "lstat", owned_by(0, os.lstat))
        assert cache.load(KEY) == ENGINE


def test_link_is_not_followed(cache, file, tmp_path, notes):
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert cache.load(KEY) is None
    assert "is no file that can be read" in notes[0]


def test_linked_folder_is_not_followed(cache, file, tmp_path, notes):
    cache.folder.rename(tmp_path / "elsewhere")
    cache.folder.symlink_to(tmp_path / "elsewhere")
    assert cache.load(KEY) is None
    assert "is no folder of its own" in notes[0]


def test_pipe_in_an_engines_place_does_not_hold_anybody_up(cache, file, notes):
    file.unlink()
    os.mkfifo(file, 0o600)
    assert cache.load(KEY) is None
    assert "is no regular file" in notes[0]


def test_folder_is_made_so_that_only_its_owner_writes_whatever_the_mask(tmp_path):
    cache = EngineCache(tmp_path / "state" / "engines")
    before = os.umask(0)
    try:
        cache.store(KEY, ENGINE)
    finally:
        os.umask(before)
    assert cache.folder.stat().st_mode & 0o777 == 0o755
    assert (cache.folder / KEY.file_name).stat().st_mode & 0o777 == 0o644
    assert cache.load(KEY) == ENGINE


def test_power_cut_while_it_is_written_leaves_the_old_engine(cache, file, monkeypatch):
    def cut(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("app.durable.os.fsync", cut)
    with pytest.raises(KeyboardInterrupt):
        cache.store(KEY, b"another")
    monkeypatch.undo()
    assert cache.load(KEY) == ENGINE


def test_what_a_power_cut_left_behind_is_cleared_away(cache, file):
    draft = cache.folder / f"{'0' * 32}.engine.new"
    draft.write_bytes(b"half")
    cache.store(key(1), ENGINE)
    assert not draft.exists()


def test_full_disk_is_told_and_nothing_is_kept(cache, notes, monkeypatch):
    monkeypatch.setattr(engine_cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    cache.store(KEY, ENGINE)
    assert "has 1000 bytes free where the engine takes" in notes[0]
    assert not list(cache.folder.glob("*.engine*"))


def test_disk_that_fails_is_told_and_ends_nothing(tmp_path, notes):
    (tmp_path / "state").write_text("a file in the folder's place")
    cache = EngineCache(tmp_path / "state" / "engines", note=notes.append)
    cache.store(KEY, ENGINE)
    assert cache.load(KEY) is None
    assert "cannot be kept" in notes[0]


def test_least_recently_used_engines_beyond_the_number_are_removed(tmp_path):
    cache = EngineCache(tmp_path / "engines", max_files=2)
    for number in range(2):
        cache.store(key(number), ENGINE)
        os.utime(cache.folder / key(number).file_name, ns=(number, number))
    cache.load(key(0))
    cache.store(key(2), ENGINE)
    assert kept(cache, 3) == [0, 2]


def test_least_recently_used_engines_beyond_the_bytes_are_removed(tmp_path):
    cache = EngineCache(tmp_path / "engines", max_bytes=3 * len(ENGINE))
    for number in range(3):
        cache.store(key(number), ENGINE)
        os.utime(cache.folder / key(number).file_name, ns=(number, number))
    assert kept(cache, 3) == [1, 2]


def test_latest_engine_is_kept_however_large_it_is(tmp_path):
    cache = EngineCache(tmp_path / "engines", max_bytes=10)
    cache.store(KEY, ENGINE)
    assert cache.load(KEY) == ENGINE


def test_engine_that_is_of_no_use_is_forgotten(cache, file):
    cache.forget(KEY)
    cache.forget(KEY)
    assert cache.load(KEY) is None


def test_header_tells_a_person_what_the_engine_is_for(file):
    header = json.loads(file.read_bytes().split(b"\n")[1])
    assert header["key"] == KEY.as_json()


def test_engines_lie_in_the_stations_state(monkeypatch, tmp_path):
    monkeypatch.setenv("TAKT_STATE", str(tmp_path / "named"))
    assert default_folder() == tmp_path / "named" / "engines"
    monkeypatch.delenv("TAKT_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user"))
    monkeypatch.setattr(engine_folder, "_SYSTEM_STATE", tmp_path / "system")
    assert default_folder() == tmp_path / "user" / "takt" / "engines"
    (tmp_path / "system").mkdir()
    assert default_folder() == tmp_path / "system" / "engines"
