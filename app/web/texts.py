"""What the pages say, by key, out of `ui/text`: a folder per language with a file per area, or one file of all of them.

English is the measure: it has every text, and its files say which area a text belongs to. Another language is
`ui/text/xx.json` or `ui/text/xx/*.json`; what it does not say is said in English.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from app.errors import ConfigError

ENGLISH = "en"
_LONGEST_CODE = 8


class Texts:
    """The words of one language.

    Args:
        language: Its code, which is the name of its folder or file.

    Attributes:
        language: Its code.
        words: Every text by its key; `{name}` stands for a value.
        own: The keys that the language itself has.

    Raises:
        ConfigError: There is no such language, or one of its files is no list of texts.
    """

    def __init__(self, language: str = ENGLISH) -> None:
        areas = read_areas(language)
        own = {key: text for words in areas.values() for key, text in words.items()}
        english = areas if language == ENGLISH else read_areas(ENGLISH)
        self.language = language
        self.own = frozenset(own)
        self.words: Mapping[str, str] = MappingProxyType(
            {key: text for words in english.values() for key, text in words.items()} | own
        )
        self._areas = {area: tuple(words) for area, words in english.items()}

    def __call__(self, key: str, **values: object) -> str:
        """A text with its values.

        Raises:
            KeyError: There is no such text.
        """
        return self.words[key].format(**values)

    def of(self, *areas: str) -> dict[str, str]:
        """The texts of some areas, for the modules of a page.

        Raises:
            KeyError: There is no such area.
        """
        return {key: self.words[key] for area in areas for key in self._areas[area]}


def read_areas(language: str) -> dict[str, dict[str, str]]:
    """The texts of a language by area; a language in one file has one area, named like itself.

    Raises:
        ConfigError: There is no such language, a file is no list of texts, or two files have the same key.
    """
    root = Path(str(files("ui"))) / "text"
    is_code = language.isascii() and language.isalpha() and len(language) <= _LONGEST_CODE
    sources = sorted([root / f"{language}.json", *(root / language).glob("*.json")]) if is_code else []
    sources = [each for each in sources if each.is_file()]
    if not sources:
        mend = f"write ui/text/{language}.json, or choose one of: {', '.join(languages())}"
        raise ConfigError(f"there are no texts in the language {language!r}", mend)
    areas: dict[str, dict[str, str]] = {}
    taken: dict[str, str] = {}
    for source in sources:
        words = _read(source)
        for key in words:
            if key in taken:
                raise ConfigError(f"{source.name} says {key!r}, which {taken[key]} says too", "rename one of the two")
            taken[key] = source.name
        areas[source.stem] = words
    return areas


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The codes of all languages that there are texts in, English first."""
    found = {path.stem for path in (Path(str(files("ui"))) / "text").iterdir() if _is_language(path)}
    return (ENGLISH, *sorted(found - {ENGLISH}))


def _is_language(path: Path) -> bool:
    return path.suffix == ".json" or (path.is_dir() and any(path.glob("*.json")))


def _read(source: Path) -> dict[str, str]:
    where = f"ui/text/{source.relative_to(Path(str(files('ui'))) / 'text')}"
    try:
        words = json.loads(source.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except ValueError as error:
        raise ConfigError(f"{where} cannot be read: {error}", "mend it there") from error
    if not isinstance(words, dict) or not all(isinstance(each, str) for each in words.values()):
        raise ConfigError(f"{where} is no list of texts", "compare it with ui/text/en")
    return words


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object that names no key twice: the second one would silently win."""
    said = dict(pairs)
    if len(said) != len(pairs):
        twice = sorted({key for key, _ in pairs if [each for each, _ in pairs].count(key) > 1})
        raise ValueError(f"it says {twice[0]!r} twice")
    return said
