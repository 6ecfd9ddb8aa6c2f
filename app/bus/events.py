"""Ledger events as bytes: compact JSON, so that an event which waits in a ring outlives a change of the software."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

from pydantic_core import from_json, to_json

from app.errors import BusError
from app.types import EventKind, LedgerEvent

FORMAT = 1
_FIELDS = 9
_MOST_SHOWN = 80


def encode_event(event: LedgerEvent) -> bytes:
    """An event as bytes.

    Raises:
        BusError: Its data holds something other than text, numbers, truths and `None`.
    """
    fields = (
        FORMAT,
        event.lane,
        event.epoch,
        event.sequence,
        event.at_ns,
        event.kind.value,
        event.part_id,
        event.count,
        dict(event.data),
    )
    try:
        return to_json(fields, inf_nan_mode="constants")
    except ValueError:  # a file name with bytes that are no UTF-8: escaped, it comes back as it was
        return _encode_escaped(fields)


def decode_event(payload: bytes) -> LedgerEvent:
    """The event that `encode_event` made these bytes of.

    Raises:
        BusError: They are none, or of another format.
    """
    fields = _parsed(payload)
    if not isinstance(fields, list) or len(fields) != _FIELDS or fields[0] != FORMAT:
        raise _garbage(payload, f"it is not of format {FORMAT}")
    _, lane, epoch, sequence, at_ns, kind, part_id, count, data = fields
    numbers = (lane, epoch, sequence, at_ns, count, 0 if part_id is None else part_id)
    if not all(type(each) is int for each in numbers):
        raise _garbage(payload, "a number is missing")
    if not isinstance(data, dict) or not all(map(_is_scalar, data.values())):
        raise _garbage(payload, "its data are not flat")
    try:
        known = EventKind(kind)
    except ValueError as error:
        raise _garbage(payload, f"{kind!r} is no kind of event") from error
    return LedgerEvent(lane, epoch, sequence, at_ns, known, part_id, count, MappingProxyType(data))


def _encode_escaped(fields: tuple[Any, ...]) -> bytes:
    try:
        return json.dumps(fields, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError) as error:
        raise BusError(f"event {fields[3]} {fields[5]} cannot travel: {error}", "report this with the event") from error


def _parsed(payload: bytes) -> Any:
    try:
        return from_json(payload)
    except ValueError:  # half of a surrogate pair, which only the slower parser accepts, or garbage
        pass
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise _garbage(payload, str(error)) from error


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _garbage(payload: bytes, why: str) -> BusError:
    shown = payload[:_MOST_SHOWN].decode("ascii", "backslashreplace")
    return BusError(f"{shown!r} is not an event: {why}", "see that station and recorder are of the same version")
