"""What the events tell a reviewer: under what terms parts are judged, and what was found on them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import isfinite
from typing import Any

from app.types import PASS, EventKind, LedgerEvent, Scalar

TERMS_FIELDS = ("package", "package_sha256", "recipe", "recipe_sha256", "line_sha256", "runtime", "version")
"""What an event may say of the terms; what it leaves out stays as it was."""

_TERMS_KINDS = frozenset({EventKind.STARTED, EventKind.RECIPE})
_ROW_FIELDS = 6

Key = tuple[int, int]
"""Epoch and number of a part."""


def top_scores(detections: object) -> dict[str, float]:
    """The highest score of each class in what `JUDGED` carries.

    Args:
        detections: JSON, a list of label, score, x, y, width, height.

    Returns:
        Scores 0 .. 1 by class; empty where nothing was found, or it cannot be read.
    """
    if not isinstance(detections, str) or detections in ("", "[]"):
        return {}
    try:
        rows = json.loads(detections)
    except ValueError:
        return {}
    best: dict[str, float] = {}
    for label, score in _readable(rows if isinstance(rows, list) else ()):
        best[label] = max(score, best.get(label, 0.0))
    return best


def _readable(rows: Iterable[Any]) -> Iterable[tuple[str, float]]:
    for row in rows:
        if isinstance(row, list) and len(row) == _ROW_FIELDS and isinstance(row[0], str):
            score = row[1]
            if isinstance(score, (int, float)) and isfinite(score):
                # A class may be named by bytes that are no text.
                yield row[0].encode(errors="backslashreplace").decode(), float(score)


class Finds:
    """What the events of one lane since the last `take` tell a reviewer.

    Args:
        lane: The lane.
        terms: The terms that hold, as a row of their table; empty before the first.
    """

    def __init__(self, lane: int, terms: dict[str, Any] | None = None) -> None:
        self._lane = lane
        self._terms: dict[str, Any] = dict(terms or {})
        self._new_terms: list[dict[str, Any]] = []
        self._found: dict[tuple[int, int, str], float] = {}
        self._touched: dict[Key, None] = {}

    @property
    def terms_row(self) -> int | None:
        """The row of the ledger that says under what parts are judged now; `None` where nothing was said yet."""
        row = self._terms.get("row")
        return row if isinstance(row, int) else None

    def fold(self, event: LedgerEvent, row: int, wall_us: int, key: Key | None) -> None:
        """Takes the next event.

        Args:
            event: The event.
            row: The row of the ledger that it becomes.
            wall_us: When it happened, in microseconds since 1970 UTC.
            key: The part that it is about.
        """
        if event.kind in _TERMS_KINDS:
            self._change_terms(event, row, wall_us)
        if key is None:
            return
        said = event.data
        if event.kind is EventKind.JUDGED:
            self._judged(said, key)
        elif event.kind is EventKind.VERDICT:
            is_good = said.get("destination") == PASS and said.get("route") == PASS
            if not is_good or said.get("is_flagged"):
                self._touched[key] = None
        elif event.kind is EventKind.REROUTED:
            self._touched[key] = None

    def take(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
        """New terms, what was found, and the parts whose place in the queue may have changed, since the last call."""
        terms, self._new_terms = self._new_terms, []
        found = [
            {"lane": self._lane, "epoch": epoch, "part_id": part_id, "label": label, "score": score}
            for (epoch, part_id, label), score in self._found.items()
        ]
        touched = [{"lane": self._lane, "epoch": epoch, "part_id": part_id} for epoch, part_id in self._touched]
        self._found, self._touched = {}, {}
        return terms, found, touched

    def _change_terms(self, event: LedgerEvent, row: int, wall_us: int) -> None:
        # A station that starts says everything anew; a change while it runs says what has changed.
        before = {} if event.kind is EventKind.STARTED else self._terms
        said = {name: _text(event.data.get(name), before.get(name)) for name in TERMS_FIELDS}
        self._terms = {"lane": self._lane, "row": row, "epoch": event.epoch, "since_us": wall_us, **said}
        self._new_terms.append(self._terms)

    def _judged(self, said: Any, key: Key) -> None:
        found = top_scores(said.get("detections"))
        for label, score in found.items():
            place = (*key, label)
            self._found[place] = max(score, self._found.get(place, 0.0))
        if found or said.get("is_flagged"):
            self._touched[key] = None


def _text(value: Scalar, before: str | None) -> str | None:
    return before if value is None else str(value).encode(errors="backslashreplace").decode()
