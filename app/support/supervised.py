"""What `takt run` tells of its processes, several times a second: one JSON object in its status block."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from app.errors import DataError

BLOCK = "supervisor.status"
"""The name of the status block in the bus folder."""

BLOCK_BYTES = 1 << 16
MOST_ENDINGS = 32
"""So many ends of processes are remembered."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """How one process is.

    Attributes:
        name: The row's name.
        kind: What it does.
        lane: Its lane, if it has one.
        pid: Its process id; 0 while it does not run.
        since_ns: When it was started, or ended.
        is_alive: It has shown a sign of life since it was started.
        age_ms: How long ago the last one was.
        restarts: How often it was started again.
        last_exit: How it last ended, in words.
    """

    name: str
    kind: str
    lane: int | None
    pid: int
    since_ns: int
    is_alive: bool
    age_ms: float
    restarts: int
    last_exit: str


@dataclass(frozen=True, slots=True)
class End:
    """One end of a process.

    Attributes:
        name: The row's name.
        at_ns: When.
        how: In words.
    """

    name: str
    at_ns: int
    how: str


@dataclass(frozen=True, slots=True)
class Supervised:
    """The processes of a box under `takt run`.

    Attributes:
        at_ns: When it was told; older than 1 s means that `takt run` has ended or hangs.
        pid: Of `takt run`, the parent of them all.
        processes: How each is, in the order of the process table.
        ends: The last ends, oldest first.
    """

    at_ns: int
    pid: int
    processes: tuple[ChildStatus, ...]
    ends: tuple[End, ...] = ()


def encode_supervised(said: Supervised) -> bytes:
    """The snapshot as JSON."""
    return json.dumps(asdict(said), separators=(",", ":"), allow_nan=False).encode()


def decode_supervised(data: bytes) -> Supervised:
    """The snapshot that `encode_supervised` wrote; keys that this version does not know are passed over.

    Raises:
        DataError: The bytes are none.
    """
    try:
        said = json.loads(data)
        return Supervised(
            at_ns=int(said["at_ns"]),
            pid=int(said["pid"]),
            processes=tuple(_made(ChildStatus, said["processes"])),
            ends=tuple(_made(End, said.get("ends", ()))),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"what takt run tells of its processes cannot be read: {error}", "let all processes be of one version"
        ) from error


def _made(kind: type[_T], rows: Iterable[Mapping[str, Any]]) -> Iterable[_T]:
    known = [each.name for each in fields(kind)]  # type: ignore[arg-type] # every kind here is a dataclass
    return [kind(**{name: row[name] for name in known}) for row in rows]
