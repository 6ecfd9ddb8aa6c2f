"""Drafts: whole or not at all, and those of the dead are taken away."""

import os
import signal
import subprocess
import sys

import pytest

from models.drafts import SUFFIX, clear_orphans, draft_of

KILLED = """
import os, pathlib, sys
from models.drafts import draft_of
with draft_of(pathlib.Path(sys.argv[1])) as draft:
    (draft / "half.png").write_bytes(b"half")
    os.kill(os.getpid(), 9)
"""


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def test_draft_that_was_moved_stays(tmp_path):
    with draft_of(tmp_path / "set") as draft:
        (draft / "a.txt").write_text("a")
        draft.rename(tmp_path / "set")
    assert names(tmp_path) == ["set"]
    assert names(tmp_path / "set") == ["a.txt"]


def test_draft_that_failed_is_gone(tmp_path):
    def fail():
        with draft_of(tmp_path / "set") as draft:
            (draft / "a.txt").write_text("a")
            raise OSError(28, "full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert names(tmp_path) == []


def test_draft_of_a_killed_process_is_gone_with_the_next(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "set")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [each.endswith(SUFFIX) for each in names(tmp_path)] == [True]
    with draft_of(tmp_path / "set") as draft:
        assert names(tmp_path) == [draft.name]
    assert names(tmp_path) == []


def test_draft_of_a_process_at_work_stays(tmp_path):
    with draft_of(tmp_path / "set") as first:
        (first / "a.txt").write_text("a")
        with draft_of(tmp_path / "set"):
            assert names(first) == ["a.txt"]


def test_only_drafts_of_the_same_place_are_taken_away(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for name in (".set.notes", f".other.abc{SUFFIX}", f"set.abc{SUFFIX}"):
        (tmp_path / name).mkdir()
    (tmp_path / f".set.link{SUFFIX}").symlink_to(tmp_path / "elsewhere")
    before = names(tmp_path)
    clear_orphans(tmp_path / "set")
    assert names(tmp_path) == before
    assert os.path.lexists(tmp_path / f".set.link{SUFFIX}")
