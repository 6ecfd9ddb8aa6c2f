import csv
import json
import sqlite3
from contextlib import closing

import pytest

from app.record.database import FILE
from tests.unit.cli.conftest import only_sentence
from tests.unit.record.station_events import write_ledger


@pytest.fixture
def state(tmp_path):
    """A station's state: ten parts in two segments of one lane."""
    folder = tmp_path / "state"
    write_ledger(folder / "ledger", parts=10, segments=2)
    return folder


def damage(state):
    with closing(sqlite3.connect(state / "ledger" / FILE, isolation_level=None)) as connection:
        connection.execute("UPDATE events SET count = count + 1 WHERE row = 31")


def test_a_sound_ledger_verifies(takt, state):
    result = takt.run("ledger", "verify", "--state", state)

    assert result.exit_code == 0
    assert "Lane 1: 52 rows in 2 segments, 10 parts, 0 of them in flight" in result.stdout


def test_a_changed_ledger_does_not_verify_and_names_segment_and_row(takt, state):
    damage(state)

    result = takt.run("ledger", "verify", "--state", state)

    assert result.exit_code == 1
    assert "lane 1, segment 2, row 31" in only_sentence(result.stderr)
    assert "lane 1, segment 2, row 31" in result.stdout


def test_what_was_verified_is_told_as_json(takt, state):
    damage(state)

    document, result = takt.json("ledger", "verify", "--state", state)

    (problem,) = document["lanes"][0]["problems"]
    assert (result.exit_code, document["is_sound"]) == (1, False)
    assert (problem["segment"], problem["row"]) == (2, 31)


def test_the_account_is_told_as_json(takt, state):
    document, result = takt.json("ledger", "verify", "--state", state)

    account = {"triggers": 10, "passed": 8, "rejected": 2, "lost": 0, "in_flight": 0}
    assert result.exit_code == 0
    assert document["lanes"][0]["lots"] == {"lot-1": account}


@pytest.mark.parametrize("command", [("verify",), ("show", "1"), ("export", "--out", "x.csv")])
def test_a_state_without_a_ledger_is_said(takt, tmp_path, command):
    result = takt.run("ledger", *command, "--state", tmp_path / "none")

    assert result.exit_code == 12
    assert "holds no ledger" in only_sentence(result.stderr)


@pytest.mark.parametrize("name", ["5", "1/5", "1/1/5"])
def test_a_part_tells_its_story(takt, state, name):
    result = takt.run("ledger", "show", name, "--state", state)

    assert result.exit_code == 0
    assert "Part 1/1/5, lot lot-1" in result.stdout
    for words in (
        "triggered in lot lot-1",
        "verdict: to reject, because of mouse_bite",
        "outcome: rejected",
        "+1.00 ms",
    ):
        assert words in result.stdout


def test_a_story_is_told_as_json(takt, state):
    document, _ = takt.json("ledger", "show", "5", "--state", state)

    (story,) = document["parts"]
    assert story["part"]["outcome"] == "REJECTED"
    assert [each["kind"] for each in story["events"]] == ["TRIGGER", "FRAME", "VERDICT", "JUDGED", "OUTCOME"]
    assert story["started"]["package"] == "tiny"


def test_a_lot_tells_its_account(takt, state):
    result = takt.run("ledger", "show", "lot-1", "--state", state)

    assert "10 triggers = 8 passed + 2 rejected + 0 lost + 0 in flight" in result.stdout
    assert "1/1/10" in result.stdout


@pytest.mark.parametrize("name", ["99", "2/5", "lot-9", "", "1/2/3/4"])
def test_what_the_ledger_does_not_know_is_said(takt, state, name):
    result = takt.run("ledger", "show", name, "--state", state)

    assert result.exit_code == 12
    assert "knows no part, lot or serial number" in only_sentence(result.stderr)


def test_parts_are_exported(takt, state, tmp_path):
    target = tmp_path / "out" / "parts.csv"

    result = takt.run("ledger", "export", "--out", target, "--state", state)

    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert (result.exit_code, len(rows), rows[4]["verdict"]) == (0, 10, "reject")
    assert "10 parts" in result.stdout


def test_events_are_exported_as_json_lines(takt, state, tmp_path):
    target = tmp_path / "events.jsonl"

    document, _ = takt.json(
        "ledger", "export", "--table", "events", "--format", "jsonl", "--out", target, "--state", state
    )

    events = [json.loads(line) for line in target.read_text().splitlines()]
    assert document["rows"] == len(events) == 52
    assert events[0]["kind"] == "STARTED"


def test_an_unknown_lot_is_not_exported(takt, state, tmp_path):
    result = takt.run("ledger", "export", "--lot", "lot-9", "--out", tmp_path / "x.csv", "--state", state)

    assert (result.exit_code, (tmp_path / "x.csv").exists()) == (12, False)


def test_an_export_into_a_folder_is_refused_before_any_work(takt, state, tmp_path):
    result = takt.run("ledger", "export", "--out", tmp_path, "--state", state)

    assert result.exit_code == 2
    assert "is a folder" in only_sentence(result.stderr)
