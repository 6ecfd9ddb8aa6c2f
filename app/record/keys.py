"""Parts by their keys, as queries want them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, and_

PartKey = tuple[int, int, int]
"""Lane, epoch and number of a part."""

_AT_ONCE = 300


def in_groups(columns: Any, keys: Iterable[PartKey]) -> Iterator[ColumnElement[bool]]:
    """Conditions for some parts: each for one start of a lane, and for so many numbers as a statement takes.

    SQLite finds a list of numbers by index, not one of pairs.

    Args:
        columns: Of a table with `lane`, `epoch` and `part_id`.
        keys: The parts.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for lane, epoch, part_id in keys:
        groups.setdefault((lane, epoch), []).append(part_id)
    for (lane, epoch), numbers in groups.items():
        for first in range(0, len(numbers), _AT_ONCE):
            some = numbers[first : first + _AT_ONCE]
            yield and_(columns.lane == lane, columns.epoch == epoch, columns.part_id.in_(some))
