"""What the tables of a `line.toml` are made of."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]*")


def _plain(name: str) -> str:
    if not _PLAIN.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be a name here: use A to Z, a to z, digits, blanks and . _ - only, and begin with a"
            " letter or a digit"
        )
    return name


def _titled(name: str) -> str:
    """In NFC: an umlaut is one character however it was typed, and what looks the same is the same."""
    if name != name.strip() or any(unicodedata.category(each).startswith("C") for each in name):
        raise ValueError(f"{name!r} cannot be a name: leave out control characters, and blanks at either end")
    return unicodedata.normalize("NFC", name)


PinName = Annotated[int, Field(ge=0, le=999)] | Annotated[str, Field(min_length=1, max_length=40)]
Name = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_plain)]
"""What pins, sockets and files are called by."""

Title = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_titled)]
"""What only people call something by, in any script: it never becomes part of a file's name."""


class Settings(BaseModel):
    """Frozen, without unknown keys, without NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


class Input(Settings):
    """A digital input, such as a sensor or a read-back contact."""

    pin: PinName = Field(description="number of the GPIO line, or its name as the pin factory knows it")
    active_low: bool = Field(False, description="a low level means active")
    debounce_ms: float = Field(0.0, ge=0, le=100, description="a change counts once it has lasted so long")


class Output(Settings):
    """A digital output. Polarity is inverted here and nowhere else."""

    pin: PinName = Field(description="number of the GPIO line, or its name as the pin factory knows it")
    active_low: bool = Field(False, description="a low level means on")
    read_back: Input | None = Field(None, description="contact that says what the output really does")
