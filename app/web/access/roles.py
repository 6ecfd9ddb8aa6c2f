"""The roles, from least to most: each may do what those before it may."""

from __future__ import annotations

from enum import IntEnum


class Role(IntEnum):
    """What somebody is here. `NONE` is whoever stands before the screen without having signed in."""

    NONE = 0
    OPERATOR = 1
    LEAD = 2
    QUALITY = 3
    TECHNICIAN = 4
    ADMIN = 5

    @property
    def word(self) -> str:
        """The name as pages, commands and files have it: lower case."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Role:
        """The role of that name.

        Raises:
            ValueError: There is none.
        """
        try:
            return cls[word.upper()]
        except KeyError:
            raise ValueError(f"{word!r} is no role") from None


GIVEN = tuple(role for role in Role if role is not Role.NONE)
"""The roles that a person can have."""
