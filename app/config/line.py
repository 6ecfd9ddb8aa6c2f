"""A line that can work."""

from __future__ import annotations

from pathlib import Path

from pydantic import model_validator

from app.config.rules import problems_of
from app.config.sheet import Sheet
from app.toml import read_toml, validated


class Line(Sheet):
    """A whole `line.toml`."""

    @model_validator(mode="after")
    def _works(self) -> Line:
        problems = problems_of(self)
        if problems:
            raise ValueError("\n".join(problems))
        return self


def load_line(path: Path) -> Line:
    """Reads and checks a `line.toml`.

    Raises:
        ConfigError: The file is absent, is no TOML, has unknown keys or values out of bounds, or describes a line
            that cannot work; all problems are named at once.
    """
    return validated(Line, read_toml(path), str(path))
