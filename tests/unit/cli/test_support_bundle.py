"""`takt support-bundle`: whole or not at all, with what is missing named, whatever the box is like."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import zipfile

import pytest

from app.cli import support
from app.clock import SystemClock
from app.support import bundle
from app.web.access.audit import Audit
from app.web.store.database import FOLDER, Store
from tests.groups import ROOT
from tests.unit.cli.conftest import only_sentence


@pytest.fixture
def quick(monkeypatch):
    """Without the parts that start a program."""
    parts = [each for each in bundle.SECTIONS if each.name not in ("checks", "models", "kernel")]
    monkeypatch.setattr(bundle, "SECTIONS", tuple(parts))
    monkeypatch.setattr(bundle.Bundle.__init__, "__defaults__", (tuple(parts),))


@pytest.fixture
def words(tmp_path):
    (tmp_path / "state").mkdir()
    return ("support-bundle", "--state", tmp_path / "state", "--bus", tmp_path / "bus")


def test_bundle_is_written_and_what_is_missing_is_named(takt, quick, words, tmp_path):
    target = tmp_path / "new" / "b.zip"
    result = takt.run(*words, "--out", target)

    assert result.exit_code == 0, result.stderr
    assert zipfile.ZipFile(target).testzip() is None
    assert "without events: " in result.stderr
    assert str(target) in result.stdout
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(target.parent.iterdir()) == [target]


def test_json_tells_what_was_written(takt, quick, words, tmp_path):
    result = takt.run(*words, "--out", tmp_path / "b.zip", "--json")
    said = json.loads(result.stdout)

    assert said["bytes"] == (tmp_path / "b.zip").stat().st_size
    assert said["members"] == len(zipfile.ZipFile(tmp_path / "b.zip").namelist())
    assert "events" in [each["what"] for each in said["missing"]]


def test_audit_trail_is_in_it(takt, quick, words, tmp_path):
    store = Store(tmp_path / "state" / FOLDER)
    Audit(store, SystemClock()).write("Ann", "line.reset", "lane 1", reason="jam removed")
    store.close()
    takt.run(*words, "--out", tmp_path / "b.zip")

    assert b"jam removed" in zipfile.ZipFile(tmp_path / "b.zip").read("audit.jsonl")


def test_box_without_people_gets_no_store_by_it(takt, quick, words, tmp_path):
    takt.run(*words, "--out", tmp_path / "b.zip")

    assert list((tmp_path / "state").iterdir()) == []


def test_disk_that_fills_leaves_what_was_there(takt, quick, words, tmp_path, monkeypatch):
    target = tmp_path / "b.zip"
    target.write_bytes(b"the one before")

    def full(_self, tell=None):
        yield b"some of it"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bundle.Bundle, "pieces", full)
    result = takt.run(*words, "--out", target)

    assert result.exit_code == 4
    assert "cannot be written: No space left on device" in only_sentence(result.stderr)
    assert target.read_bytes() == b"the one before"
    assert not list(tmp_path.glob(".*.draft"))


@pytest.mark.parametrize(
    "more", [("--out", "-", "--json"), ("--out", "{folder}"), ("--days", "0"), ("--pictures", "-1")]
)
def test_what_makes_no_sense_is_refused(takt, words, tmp_path, more):
    result = takt.run(*words, *(each.format(folder=tmp_path) for each in more))

    assert (result.exit_code, bool(only_sentence(result.stderr))) == (2, True)


def test_two_at_once_do_not_meet(quick, words, tmp_path):
    target = tmp_path / "b.zip"
    first = support._written(target, iter([b"first"]))
    pieces = iter([b"a", b"b"])

    def interrupted():
        yield next(pieces)
        assert support._written(target, iter([b"second"])) == 6
        yield next(pieces)

    assert support._written(target, interrupted()) == 2
    assert (first, target.read_bytes()) == (5, b"ab")


def test_whole_command_writes_to_a_pipe(words):
    command = [sys.executable, "-m", "app.cli", *map(str, words), "--out", "-"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, timeout=120, check=False, env={**os.environ, "NO_COLOR": "1"}
    )
    found = zipfile.ZipFile(io.BytesIO(done.stdout))

    assert done.returncode == 0
    assert "findings" in json.loads(found.read("doctor.json"))
    assert found.namelist()[-1] == "manifest.json"
