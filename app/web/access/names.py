"""What may be a person's name, a PIN or a password. Pure."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

from app.errors import UsageError

LONGEST_NAME = 40
PIN_DIGITS = (6, 12)
PASSWORD_LETTERS = (10, 128)
_FEW = 3
_COMMON = (
    "password",
    "passwort",
    "administrator",
    "qwertyuiop",
    "qwertzuiop",
    "1234567890",
    "0123456789",
    "letmein",
    "changeme",
    "geheim",
    "takt",
    "inspection",
)


def key_of(name: str) -> str:
    """What makes two names the same: without regard to capitals, width of letters and blanks around."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def checked_name(name: str) -> str:
    """A name as it is kept.

    Raises:
        UsageError: It cannot be one.
    """
    name = " ".join(name.split())
    is_printable = all(unicodedata.category(letter)[0] not in "CZ" or letter == " " for letter in name)
    if not 0 < len(name) <= LONGEST_NAME or not is_printable or ":" in name or name.casefold().startswith("machine "):
        raise UsageError(
            f"{name[:LONGEST_NAME]!r} cannot be a person's name",
            f"use 1 to {LONGEST_NAME} printable characters without a colon, not beginning with `machine`",
        )
    return name


def checked_pin(pin: str) -> str:
    """A PIN that is worth having.

    Raises:
        UsageError: It is none, or it is among the first that anybody would try. Never says what was typed.
    """
    least, most = PIN_DIGITS
    if not (least <= len(pin) <= most and pin.isascii() and pin.isdigit()):
        raise UsageError(f"a PIN has {least} to {most} digits", "choose one that nobody guesses")
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    halves = pin[: len(pin) // 2], pin[len(pin) // 2 :]
    if len(steps) == 1 or len(set(pin)) < _FEW or halves[0] == halves[1]:
        raise UsageError("this PIN is among the first that anybody tries", "choose one without a pattern")
    return pin


def checked_password(password: str, name: str) -> str:
    """A password that is worth having.

    Raises:
        UsageError: It is too short, too long or easily guessed. Never says what was typed.
    """
    least, most = PASSWORD_LETTERS
    if not least <= len(password) <= most:
        raise UsageError(f"a password has {least} to {most} characters", "a few words in a row do well")
    said, own = password.casefold(), key_of(name)
    # What is left of it once the words that everybody tries are taken out has to be long enough for something.
    for each in sorted({*_COMMON, own} - {""}, key=len, reverse=True):
        said = said.replace(each, "")
    if len(set(password)) <= _FEW or len(said) < least // 2:
        raise UsageError("this password is among the first that anybody tries", "use a few words in a row instead")
    return password
