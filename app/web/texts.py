"""What the pages say, by key, out of one file per language: `ui/text/en.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

from app.errors import ConfigError


class Texts:
    """The words of one language.

    Args:
        language: Its code, which is the file's name.

    Attributes:
        language: Its code.
        words: Every text by its key; `{name}` stands for a value.

    Raises:
        ConfigError: There is no such file, or it is no list of texts.
    """

    def __init__(self, language: str = "en") -> None:
        self.language = language
        self.words: Mapping[str, str] = MappingProxyType(_read(language))

    def __call__(self, key: str, **values: object) -> str:
        """A text with its values.

        Raises:
            KeyError: There is no such text.
        """
        return self.words[key].format(**values)


def _read(language: str) -> dict[str, str]:
    name = f"text/{language}.json"
    source = files("ui").joinpath(name)
    if not language.isalpha() or not source.is_file():
        raise ConfigError(f"there are no texts in the language {language!r}", f"write ui/{name}, or choose en")
    words = json.loads(source.read_text(encoding="utf-8"))
    if not isinstance(words, dict) or not all(isinstance(each, str) for each in words.values()):
        raise ConfigError(f"ui/{name} is no list of texts", "compare it with ui/text/en.json")
    return words
