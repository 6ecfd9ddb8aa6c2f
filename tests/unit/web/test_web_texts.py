"""The catalogue of texts holds everything that the pages say, in every language, and nothing else."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

import app
from app.errors import ConfigError
from app.reject.stops import StopCause
from app.status import Degraded, State, Trouble
from app.types import Confirmation, Outcome, Reason
from app.web import texts
from app.web.texts import Texts, languages, read_areas

UI = Path(str(files("ui")))
MODULES = [path for path in (UI / "static" / "js").rglob("*.js") if "vendor" not in path.parts]
VIEWS = (Path(texts.__file__).parent).rglob("*.py")
CODE = [*MODULES, *(UI / "templates").rglob("*.html")]
BOX = list(Path(app.__file__).parent.rglob("*.py"))
ALL_CODE = [*CODE, *VIEWS]
KEY = re.compile(r"""["'`]([a-z_]+(?:\.[A-Za-z_0-9]+)*)["'`]""")
MADE = re.compile(r"""["'`]([a-z_]+(?:\.[A-Za-z_0-9]+)*\.)(?:\$\{|["']\s*[~+]|\{)""")
OTHERS = [each for each in languages() if each != "en"]


def placeholders(words):
    return sorted(set(re.findall(r"\{(\w+)\}", words)))


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
    sources = [path.read_text(encoding="utf-8") for path in ALL_CODE]
    said = {key for source in sources for key in KEY.findall(source)}
    made = tuple(
        {start for source in sources for start in MADE.findall(source)}
        | {"cause.", "error.", "refused.", "why.camera.", "why.degraded."}
    )
    unsaid = [key for key in Texts().words if key not in said and not key.startswith(made)]

    assert unsaid == []


@pytest.mark.parametrize(
    ("prefix", "codes"),
    [
        ("state", State),
        ("reason", Reason),
        ("outcome", Outcome),
        ("confirmation", Confirmation),
        ("cause", StopCause),
        ("why.camera", Trouble),
        ("why.degraded", Degraded),
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


def test_every_refusal_with_a_code_has_its_words_and_what_to_do():
    source = "".join(path.read_text(encoding="utf-8") for path in BOX)
    codes = set(re.findall(r"""(?:code=|_refusal\()\s*"([A-Z_]+)\"""", source))

    assert codes
    assert [
        key for code in sorted(codes) for key in (f"refused.{code}", f"refused.{code}.mend") if key not in Texts().words
    ] == []


def test_no_refusal_has_words_that_nothing_is_refused_with():
    source = "".join(path.read_text(encoding="utf-8") for path in BOX)
    codes = {key.split(".")[1] for key in Texts().words if re.match(r"refused\.[A-Z]", key)}

    assert [code for code in sorted(codes) if f'"{code}"' not in source] == []


def test_every_value_that_a_text_has_room_for_is_given():
    source = "".join(path.read_text(encoding="utf-8") for path in (*ALL_CODE, *BOX))
    names = {name for words in Texts().words.values() for name in placeholders(words)}

    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b[\"']?\s*[:,}}=)]", source)] == []


def test_german_is_among_the_languages():
    assert languages()[0] == "en"
    assert "de" in languages()


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_says_everything_that_english_says_with_the_same_values(language):
    english, other = Texts().words, Texts(language)

    assert sorted(set(english) - other.own) == []
    assert sorted(other.own - set(english)) == []
    assert [key for key in english if placeholders(english[key]) != placeholders(other.words[key])] == []


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_its_texts_in_the_same_areas_and_order(language):
    english, other = ({area: list(words) for area, words in read_areas(each).items()} for each in ("en", language))

    assert other == english


def test_text_with_a_value():
    assert Texts()("lane", number=3) == "Lane 3"
    assert Texts("de")("lane", number=3) == "Spur 3"


def test_texts_of_an_area_are_those_of_its_file_in_any_language():
    assert set(Texts("de").of("shell")) == set(read_areas("en")["shell"])
    assert Texts("de").of("shell")["state.NO_DATA"] == "KEINE DATEN"


@pytest.mark.parametrize("language", ["xx", "../en", "", "en.json", "e" * 9])
def test_language_that_is_not_there_is_one_clear_error(language):
    with pytest.raises(ConfigError, match=r"no texts in the language .*choose one of: en, de"):
        Texts(language)


# A third language


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Texts of a test's own."""
    folder = tmp_path / "text"
    (folder / "en").mkdir(parents=True)
    (folder / "en" / "a.json").write_text('{"one": "one", "two": "two {count}"}')
    monkeypatch.setattr(texts, "files", lambda _name: tmp_path)
    languages.cache_clear()
    yield folder
    languages.cache_clear()


def test_third_language_is_one_file(shelf):
    (shelf / "fr.json").write_text('{"one": "un", "two": "deux {count}"}')

    assert languages() == ("en", "fr")
    assert Texts("fr").of("a") == {"one": "un", "two": "deux {count}"}


def test_what_a_language_does_not_say_is_said_in_english(shelf):
    (shelf / "fr.json").write_text('{"one": "un"}')

    assert Texts("fr")("one") == "un"
    assert Texts("fr")("two", count=3) == "two 3"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"one": "un", "one": "une"}', "says 'one' twice"),
        ('{"one": 1}', "is no list of texts"),
        ("[]", "is no list of texts"),
        ("{", "cannot be read"),
    ],
)
def test_broken_file_of_texts_is_one_clear_error(shelf, content, words):
    (shelf / "fr.json").write_text(content)

    with pytest.raises(ConfigError, match=words):
        Texts("fr")


def test_key_in_two_files_is_one_clear_error(shelf):
    (shelf / "en" / "b.json").write_text('{"two": "again"}')

    with pytest.raises(ConfigError, match=r"b\.json says 'two', which a\.json says too"):
        Texts()
