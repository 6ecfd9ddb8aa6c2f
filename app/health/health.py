"""The seam `AcceleratorHealth`: what a device says of itself, with `None` for whatever it does not say."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

from app.errors import DataError

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Health:
    """How an accelerator was at one moment. A field is `None` where its source does not know.

    Attributes:
        source: Who says so: `nvml`, `jetson`, `none` or `fake`.
        at_ns: When it was read, on the monotonic clock, which all processes of a box share.
        device: The device's name.
        temperature_c: Of the GPU, in degrees Celsius.
        clock_mhz: The clock of the GPU now; it falls when there is nothing to do.
        clock_max_mhz: The fastest that the device can do, whatever mode it is in.
        clock_limit_mhz: The fastest that it may do as it is set now.
        clock_floor_mhz: The slowest that it goes when there is nothing to do.
        power_w: What it takes, in watts.
        power_of: What that power belongs to: the board, or the name of a power rail.
        power_mode: The mode's name (nvpmodel).
        power_modes: Every mode that the box knows as (number, name).
        throttling: What holds the clock down now, in words; empty: nothing does.
        slowed: What has held it down since the box started, in words; empty: nothing has.
        memory_used_mib: Of its memory; a Jetson's is that of the whole box.
        memory_total_mib: Likewise.
        driver: The driver's version.
        versions: Versions of what else lies on the box, as (name, version).
        remarks: What could not be read and why, in words.
    """

    source: str
    at_ns: int = 0
    device: str | None = None
    temperature_c: float | None = None
    clock_mhz: float | None = None
    clock_max_mhz: float | None = None
    clock_limit_mhz: float | None = None
    clock_floor_mhz: float | None = None
    power_w: float | None = None
    power_of: str | None = None
    power_mode: str | None = None
    power_modes: Pairs = ()
    throttling: tuple[str, ...] | None = None
    slowed: tuple[str, ...] | None = None
    memory_used_mib: float | None = None
    memory_total_mib: float | None = None
    driver: str | None = None
    versions: Pairs = ()
    remarks: tuple[str, ...] = ()

    @property
    def is_throttled(self) -> bool:
        """Something is known to hold the clock down now."""
        return bool(self.throttling)


class AcceleratorHealth(Protocol):
    """A source of `Health`.

    No thread of the station asks one: the accelerator's process, the agent and the doctor do.
    """

    def read(self) -> Health:
        """How the device is now.

        Never raises for what it reads: a field that cannot be read is `None`, with a remark. The sources that
        `open_health` gives answer within their deadline, whatever a driver does; a bare one may block with it.
        """
        ...

    def close(self) -> None:
        """Lets go of the device. Idempotent."""
        ...


def encode_health(health: Health) -> bytes:
    """The snapshot as one line of JSON."""
    return json.dumps(asdict(health), separators=(",", ":"), allow_nan=False).encode()


def decode_health(data: bytes | str) -> Health:
    """The snapshot that `encode_health` wrote; keys that this version does not know are passed over.

    Raises:
        DataError: It is none: no JSON, or a value of another kind than the field's.
    """
    try:
        said: Mapping[str, Any] = json.loads(data)
        return Health(
            **{each.name: _CHECKS[each.name](said[each.name]) for each in fields(Health) if each.name in said}
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"what a source says of the accelerator cannot be read: {error}", "let both processes be of one version"
        ) from error


def in_words(health: Health) -> str:
    """The figures in one line, only those that are known."""
    return ", ".join(_words(health)) or "nothing is known"


def _words(health: Health) -> Iterator[str]:
    if health.device:
        yield health.device
    if health.temperature_c is not None:
        yield f"{health.temperature_c:.0f} °C"
    if health.clock_mhz is not None:
        fastest = f" of {health.clock_max_mhz:.0f}" if health.clock_max_mhz is not None else ""
        yield f"{health.clock_mhz:.0f}{fastest} MHz"
    if health.power_w is not None:
        of = f" ({health.power_of})" if health.power_of else ""
        yield f"{health.power_w:.1f} W{of}"
    if health.power_mode:
        yield f"mode {health.power_mode}"
    if health.memory_used_mib is not None and health.memory_total_mib is not None:
        yield f"{health.memory_used_mib:.0f} of {health.memory_total_mib:.0f} MiB of memory"
    yield from health.throttling or ()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError(f"{value!r} is no number")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return tuple(_text(each) for each in value)


def _pairs(value: object) -> Pairs:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return tuple((_text(name), _text(text)) for name, text in value)


def _or_none(check: Callable[[object], Any]) -> Callable[[object], Any]:
    return lambda value: None if value is None else check(value)


def _whole(value: object) -> int:
    return int(_number(value))


_CHECKS: Mapping[str, Callable[[object], Any]] = {
    "source": _text,
    "at_ns": _whole,
    "power_modes": _pairs,
    "versions": _pairs,
    "remarks": _texts,
    **dict.fromkeys(("device", "power_of", "power_mode", "driver"), _or_none(_text)),
    **dict.fromkeys(("throttling", "slowed"), _or_none(_texts)),
    **dict.fromkeys(
        (
            "temperature_c",
            "clock_mhz",
            "clock_max_mhz",
            "clock_limit_mhz",
            "clock_floor_mhz",
            "power_w",
            "memory_used_mib",
            "memory_total_mib",
        ),
        _or_none(_number),
    ),
}
