"""All checks in a child: one run at a time, with a deadline, and whatever it says is a result or a clear reason."""

from __future__ import annotations

import json
import sys

import pytest

from app.clock import SystemClock
from app.errors import DataError
from app.support.checks import Checks, Phase, doctor_command, read_checks

FOUND = {
    "ok": False,
    "findings": [
        {"topic": "Python", "level": "ok", "text": "3.11", "mend": ""},
        {"topic": "Disk", "level": "bad", "text": "full", "mend": "make room"},
        {"topic": "Real time", "level": "warn", "text": "not permitted", "mend": "permit it"},
    ],
}
WAITS = "import sys; sys.stdin.read(); import time; time.sleep(600)"


def checks(code, limit_s=20.0, **environment):
    return Checks([sys.executable, "-c", code], environment, SystemClock(), limit_s)


def ran(code, **how):
    made = checks(code, **how)
    assert made.start("Kim")
    made.wait(30)
    return made.last


def test_result_is_kept_with_who_asked_and_the_worst_first():
    last = ran(f"print({json.dumps(json.dumps(FOUND))}); raise SystemExit(1)")

    assert (last.phase, last.by, last.trouble) == (Phase.DONE, "Kim", "")
    assert [each.topic for each in last.checks] == ["Disk", "Real time", "Python"]
    assert last.checks[0].mend == "make room"
    assert last.at_us > 0


def test_child_is_told_where_the_box_keeps_its_things():
    finding = "{'topic': os.environ['TAKT_BUS'], 'level': 'ok', 'text': ''}"
    code = f"import os, json; print(json.dumps({{'findings': [{finding}]}}))"

    assert ran(code, TAKT_BUS="/bus").checks[0].topic == "/bus"


def test_only_one_run_goes_on_at_a_time():
    made = checks(WAITS, limit_s=0.5)

    assert made.start("Kim")
    assert made.last.phase is Phase.RUNNING
    assert not made.start("Lee")
    made.wait(30)
    assert made.last.by == "Kim"


def test_child_that_does_not_end_is_killed_at_the_deadline():
    last = ran(WAITS, limit_s=0.5)

    assert last.phase is Phase.FAILED
    assert "did not end within 0.5 s" in last.trouble


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; sys.stderr.write('it broke'); raise SystemExit(3)", "it broke"),
        ("raise SystemExit(3)", "exit code 3"),
        ("print('no JSON')", "cannot be read"),
        ("print('[1]')", "cannot be read"),
    ],
)
def test_child_without_a_result_says_why(code, words):
    last = ran(code)

    assert last.phase is Phase.FAILED
    assert words in last.trouble


def test_command_that_is_not_there_says_so():
    made = Checks(["/nowhere/takt"], {}, SystemClock())
    made.start("Kim")
    made.wait(30)

    assert "could not be started" in made.last.trouble


@pytest.mark.parametrize("said", ["{}", '{"findings": 1}', '{"findings": [1]}', "", "\ud800"])
def test_words_that_are_no_findings_are_one_clear_error(said):
    with pytest.raises(DataError, match="takt doctor"):
        read_checks(said.encode("utf-8", "surrogatepass"))


def test_command_names_every_line(tmp_path):
    words = doctor_command([tmp_path / "a.toml", tmp_path / "b.toml"])

    assert words[1:5] == ["-m", "app.cli", "doctor", "--json"]
    assert words.count("--line") == 2
