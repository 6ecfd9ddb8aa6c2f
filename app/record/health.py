"""How the recorder is, as it tells the page: one flat JSON object in its status block."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from app.record.pictures import PictureKind

BLOCK = "recorder.status"
"""The name of the status block in the bus folder."""

BLOCK_BYTES = 8_192
_MOST_WORDS = 1_000
_NO_COUNTS: Mapping[PictureKind, int] = {}


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """A snapshot of the recorder.

    Attributes:
        at_ns: When it was taken; older than 1 s means that the recorder does not answer.
        backlog_bytes: Events in the rings that are not in the ledger.
        rows: Rows of the ledger.
        garbled: Records of the rings that were no events.
        pictures_gb: Room that the pictures take.
        disk_free_gb: Room that is left.
        kept: Pictures written since the start, by kind.
        dropped: Pictures that should have been kept and were not, by kind.
        deleted: Pictures deleted by the rules of retention, by kind.
        policy: What is kept now, in words.
        told: What was deleted last and why, in words; empty where nothing was.
        error: What is wrong now, in words; empty where nothing is.
    """

    at_ns: int
    backlog_bytes: int = 0
    rows: int = 0
    garbled: int = 0
    pictures_gb: float = 0.0
    disk_free_gb: float = 0.0
    kept: Mapping[PictureKind, int] = field(default_factory=lambda: _NO_COUNTS)
    dropped: Mapping[PictureKind, int] = field(default_factory=lambda: _NO_COUNTS)
    deleted: Mapping[PictureKind, int] = field(default_factory=lambda: _NO_COUNTS)
    policy: str = ""
    told: str = ""
    error: str = ""


_COUNTED = ("kept", "dropped", "deleted")


def encode_health(status: RecorderStatus) -> bytes:
    """The snapshot as flat JSON: `kept_reject`, `dropped_pass` and so on are numbers of their own."""
    said = {each.name: getattr(status, each.name) for each in fields(status) if each.name not in _COUNTED}
    for name in _COUNTED:
        said |= {f"{name}_{kind.value}": getattr(status, name).get(kind, 0) for kind in PictureKind}
    short = {key: value[:_MOST_WORDS] if isinstance(value, str) else value for key, value in said.items()}
    return json.dumps(short, separators=(",", ":")).encode()
