"""The catalogue of texts holds everything that the pages say, and nothing else."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from app.errors import ConfigError
from app.reject.stops import StopCause
from app.status import State
from app.types import Confirmation, Outcome, Reason
from app.web.texts import Texts

UI = Path(str(files("ui")))
CODE = [*(UI / "static" / "js").glob("*.js"), *(UI / "templates").glob("*.html")]
KEY = re.compile(r"""["'`]([a-z_]+(?:\.[A-Za-z_0-9]+)*)["'`]""")
MADE = ("state.", "reason.", "cause.", "outcome.", "confirmation.", "place.", "verdict.", "error.", "latency.")


def test_every_text_that_a_page_asks_for_is_there():
    words = Texts().words
    asked = {
        key
        for path in CODE
        for key in re.findall(r"""\b(?:t|text)\(\s*["']([^"']+)["']\s*[,)]""", path.read_text(encoding="utf-8"))
    }

    assert asked
    assert sorted(asked - set(words)) == []


def test_no_text_is_left_that_nobody_says():
    said = {key for path in CODE for key in KEY.findall(path.read_text(encoding="utf-8"))}
    unsaid = [key for key in Texts().words if key not in said and not key.startswith(MADE)]

    assert unsaid == []


@pytest.mark.parametrize(
    ("prefix", "codes"),
    [
        ("state", State),
        ("reason", Reason),
        ("outcome", Outcome),
        ("confirmation", Confirmation),
        ("cause", StopCause),
    ],
)
def test_every_code_of_the_station_has_its_words(prefix, codes):
    words = Texts().words
    expected = [f"{prefix}.{each.value}" for each in codes]
    if prefix == "cause":
        expected += [f"{key}.todo" for key in expected]
    if prefix == "state":
        expected += [f"{key}.meaning" for key in expected]

    assert [key for key in expected if key not in words] == []


def test_every_value_that_a_text_has_room_for_is_given():
    source = "".join(path.read_text(encoding="utf-8") for path in CODE)
    names = {name for words in Texts().words.values() for name in re.findall(r"\{(\w+)\}", words)}

    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b\s*[:,}}=]", source)] == []


def test_text_with_a_value():
    assert Texts()("lane", number=3) == "Lane 3"


@pytest.mark.parametrize("language", ["xx", "../en", "", "en.json"])
def test_language_that_is_not_there_is_one_clear_error(language):
    with pytest.raises(ConfigError, match="no texts in the language"):
        Texts(language)
