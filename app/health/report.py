"""What the accelerator's process tells of itself and its device: one JSON object in its status block."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

from app.errors import DataError
from app.health.health import Health, decode_health

BLOCK = "accelerator.status"
"""The name of the status block in the bus folder."""

BLOCK_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Served:
    """What judges for one lane.

    Attributes:
        lane: The lane.
        package: The model package's name.
        variant: The model of the package.
        runtime: What runs it.
        p50_ms: What an inference took there in the middle, when it was opened.
    """

    lane: int
    package: str
    variant: str
    runtime: str
    p50_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """The process that owns the accelerator at one moment.

    Attributes:
        at_ns: When it was written, on the monotonic clock.
        since_ns: Since when it is what `is_serving` says.
        is_serving: It answers; otherwise it still opens models.
        serves: What judges for which lane.
        health: The newest reading of the device.
    """

    at_ns: int
    since_ns: int
    is_serving: bool
    serves: tuple[Served, ...]
    health: Health


def encode_report(report: Report) -> bytes:
    """The report as JSON."""
    return json.dumps(asdict(report), separators=(",", ":"), allow_nan=False).encode()


def decode_report(data: bytes) -> Report:
    """The report that `encode_report` wrote; keys that this version does not know are passed over.

    Raises:
        DataError: The bytes are none.
    """
    try:
        said = json.loads(data)
        known = {each.name for each in fields(Served)}
        return Report(
            at_ns=int(said["at_ns"]),
            since_ns=int(said["since_ns"]),
            is_serving=bool(said["is_serving"]),
            serves=tuple(Served(**{key: row[key] for key in known}) for row in said["serves"]),
            health=decode_health(json.dumps(said["health"])),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"what the accelerator's process tells of itself cannot be read: {error}",
            "let both processes be of one version",
        ) from error
