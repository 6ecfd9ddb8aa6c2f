"""What no log and no bundle may show: PINs, passwords, tokens, cookies, set-up codes, hashes of them, private keys.

By form where the product gives a secret one, and by the word that stands before it otherwise. Errs on the side of
hiding: a serial number that looks like a set-up code is hidden with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.errors import redacted

HIDDEN = "***"

_KEY_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY-----")
_KEY = re.compile(f"{_KEY_BEGIN.pattern}.*?(?:{_KEY_END.pattern}|\\Z)", re.DOTALL)

_LONGEST_KEY = 100
"""Lines of a key at most: one that never ends must not hide everything after it."""

_CODE = r"[2-9A-HJ-NP-Z]{4}"
_FORMS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A token keeps its public part, by which people find it in the list.
    (re.compile(r"\b(takt_[0-9a-f]{12})_[A-Za-z0-9_-]+"), rf"\1_{HIDDEN}"),
    (re.compile(r"\$argon2[a-z]*\$[^\s\"']+"), HIDDEN),
    (re.compile(rf"(?i)(?<![\w-]){_CODE}(?:-{_CODE}){{2}}(?![\w-])"), HIDDEN),
    (re.compile(rf"(?i)(\bcode\b[^\w\n]{{0,3}}(?:is[^\w\n]{{1,3}})?)(?:{_CODE}[ -]?){{3}}(?![\w-])"), rf"\1{HIDDEN}"),
    (re.compile(r"\bey[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"), HIDDEN),
    # 256 random bits as the pages write them: sessions and tokens.
    (re.compile(r"(?<![\w+/-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[A-Za-z0-9_-]{43}(?![\w-])", re.ASCII), HIDDEN),
    # A line of a key's text: only base64, longer than a word, and not a hash in hexadecimal.
    (re.compile(r"(?m)^(?![0-9a-f]+$)(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9+/]{60,}={0,2}$"), HIDDEN),
)

_VALUE = r"(?:\"[^\"\n]*\"?|'[^'\n]*'?|[^\s,;&\"']+)"
_NAMES = (
    r"pass(?:word|wd|phrase|code)|pwd|passwort|kennwort|secret|(?:api|access|auth|bearer|session|csrf)?[_ -]?token"
    r"|(?:api|private|secret|signing)[_ -]?key|csrf|x-csrf|session[_ -]?id|(?:set-?up|setup)[_ -]?code"
)
_NAMED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"(?i)((?<![a-z])(?:{_NAMES})[\"']?\s*[=:]\s*){_VALUE}"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b((?:set-)?cookie[\"']?\s*[=:]\s*)[^\n]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)((?<![\w])(?:__Host-)?takt=)[^\s;,\"']+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b((?:proxy-)?authorization[\"']?\s*[=:]\s*)[^\n]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"), rf"\1{HIDDEN}"),
    # Of four digits and more: a shorter number after the word is a pin of a board.
    (re.compile(r"(?i)(?<![a-z])(pins?[\"']?(?:\s*(?:is|[=:#]))?\s*[\"']?)\d{4,}"), rf"\1{HIDDEN}"),
)
_SECRET_NAME = re.compile(rf"(?i)^(?:{_NAMES}|authorization|(?:set-)?cookie|pin|pin_hash|password_hash)$")


def clean(words: str) -> str:
    """A text without what looks like a secret; of several lines as well.

    Args:
        words: The text.
    """
    words = _KEY.sub(HIDDEN, words)
    if "://" in words:
        # Word by word: the password of one address must not swallow what stands between it and the next @.
        words = re.sub(r"\S*://\S*", lambda found: redacted(found.group()), words)
    for pattern, instead in (*_NAMED, *_FORMS):
        words = pattern.sub(instead, words)
    return words


def clean_value(value: Any) -> Any:
    """The same of whatever JSON can say; a key that names a secret hides what it holds, where that is a text."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if isinstance(each, str) and each and _SECRET_NAME.match(str(key)) else clean_value(each)
            for key, each in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [clean_value(each) for each in value]
    return value


class Redactor:
    """Cleans what comes line by line, where a private key is spread over many of them."""

    def __init__(self) -> None:
        self._hidden_lines = 0

    def line(self, words: str) -> str:
        """One line, cleaned."""
        if self._hidden_lines:
            self._hidden_lines = 0 if _KEY_END.search(words) else self._hidden_lines - 1
            return HIDDEN
        begun = _KEY_BEGIN.search(words)
        if begun and not _KEY_END.search(words, begun.end()):
            self._hidden_lines = _LONGEST_KEY
        return clean(words)
