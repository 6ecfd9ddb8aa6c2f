"""Every alarm has its words and its action in every language, and its row in what operators read."""

from __future__ import annotations

import re
from itertools import takewhile

import pytest

from app.reject.stops import StopCause
from app.web.line.conditions import PRIORITIES
from app.web.texts import Texts, languages
from tests.groups import ROOT

KINDS = {each.value for each in StopCause} | set(PRIORITIES)
CODE = re.compile(r"`([A-Z_]+)`")


def rows_below(head):
    """The rows of the table in docs/operator.md that has this head: their cells, the code in the first one bare."""
    lines = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8").splitlines()
    below = lines[lines.index(head) + 2 :]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in takewhile(lambda line: line[:1] == "|", below)]
    return {CODE.fullmatch(first).group(1): rest for first, *rest in rows}


def stops():
    return rows_below("| cause | what happened | what to look for |")


def others():
    return rows_below("| alarm | priority | what happened | what to do |")


def test_every_cause_of_a_stop_has_its_row_for_operators_and_no_other():
    assert set(stops()) == {each.value for each in StopCause}


def test_every_other_alarm_has_its_row_with_its_priority():
    assert {kind: priority for kind, (priority, *_) in others().items()} == {
        kind: priority.name.lower() for kind, priority in PRIORITIES.items()
    }


def test_every_row_says_what_happened_and_what_to_do():
    assert [kind for kind, cells in (stops() | others()).items() if not all(cells)] == []


@pytest.mark.parametrize("language", languages())
def test_every_alarm_has_words_and_an_action_in_every_language(language):
    own = Texts(language).own
    wanted = {f"cause.{kind}{end}" for kind in KINDS for end in ("", ".todo")}

    assert sorted(wanted - own) == []


def test_no_words_are_left_of_an_alarm_that_nobody_raises():
    known = {key.split(".")[1] for key in Texts().words if key.startswith("cause.")}

    assert known == KINDS | {"other"}
