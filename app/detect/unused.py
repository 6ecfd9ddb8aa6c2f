"""What could judge and does not: builds, engines and models that were passed over, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MOST = 8
LONGEST = 240
"""Characters of one reason: all of them travel with the status."""


class Unused:
    """Takes reasons, keeps the first few for the status, and tells each to the log.

    Args:
        tell: Takes each sentence.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._said: list[str] = []

    def __call__(self, sentence: str) -> None:
        """Takes the reason why something is not used, as a sentence."""
        self._tell(sentence)
        kept = _cut(sentence)
        if len(self._said) < MOST and kept not in self._said:
            self._said.append(kept)

    @property
    def said(self) -> tuple[str, ...]:
        """The first reasons, each once."""
        return tuple(self._said)


def reasons_of(said: Any) -> tuple[str, ...]:
    """The reasons that another process has told; whatever is no text is passed over."""
    texts = [each for each in said if isinstance(each, str)] if isinstance(said, list) else []
    return tuple(_cut(each) for each in texts[:MOST])


def _cut(sentence: str) -> str:
    line = " ".join(sentence.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
