"""What a line.toml asks of a camera, held against what the camera says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.capture.camera import Knob
from app.config import CameraSettings
from app.types import Scalar

MS_OF = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "100 us": 0.1, "100us": 0.1, "100 µs": 0.1, "ms": 1.0, "s": 1e3}
"""Milliseconds of what cameras count exposures in."""

EXPOSURES = {
    "ExposureTime": "us",
    "ExposureTimeAbs": "us",
    "exposure_time_absolute": "100 us",
    "exposure_absolute": "100 us",
}
"""Knobs that `exposure_ms` sets, and their unit where the camera names none (GenICam SFNC, V4L2)."""

GAIN = "Gain"
"""The knob that `gain_db` sets; other gains count steps of the camera's own."""

_NEAR = 0.01
"""Cameras round to whole rows or clocks; what is nearer than this is what was asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that is asked of a camera.

    Attributes:
        key: The key in the line.toml.
        wanted: What it says.
        got: What the camera says; `None` where it does not.
        is_taken: The two agree; `None` where nobody can tell.
        why: Why it was not taken, in words.
    """

    key: str
    wanted: Scalar
    got: Scalar = None
    is_taken: bool | None = None
    why: str = ""


def compare(
    settings: CameraSettings,
    knobs: Sequence[Knob],
    shape: tuple[int, ...] | None,
    refusals: Mapping[str, str],
) -> tuple[Asked, ...]:
    """Holds settings against a camera.

    Args:
        settings: What is asked for.
        knobs: What the camera says.
        shape: Of a frame that it sent, as numpy has it; `None` where it sent none.
        refusals: By key: why the camera did not take it.
    """
    by_name = {each.name: each for each in knobs}
    found = [_size(settings, shape), _exposure(settings, by_name)]
    if settings.gain_db is not None:
        found.append(_gain(settings.gain_db, by_name))
    found += _controls(settings, by_name)
    return tuple(_refused(each, refusals[each.key]) if each.key in refusals else each for each in found)


def agree(wanted: Scalar, got: Scalar, step: float | None = None) -> bool | None:
    """Whether a camera took a value, give or take its rounding; `None` where nobody can tell.

    Args:
        wanted: What was asked for.
        got: What it says.
        step: Between two values of a number.
    """
    if got is None:
        return None
    if _is_number(wanted) and _is_number(got):
        assert isinstance(wanted, (int, float))
        assert isinstance(got, (int, float))
        return math.isclose(wanted, got, rel_tol=_NEAR, abs_tol=(step or 0.0) / 2 + 1e-9)
    if _is_number(wanted) and isinstance(got, str):
        # An entry of a menu, asked for by its number.
        return None
    return str(wanted).casefold() == str(got).casefold()


def in_ms(knob: Knob) -> float | None:
    """The value of a knob that is an exposure, in milliseconds; `None` where it is none."""
    unit = knob.unit.strip() or EXPOSURES.get(knob.name, "")
    if not _is_number(knob.value) or unit not in MS_OF:
        return None
    assert isinstance(knob.value, (int, float))
    return knob.value * MS_OF[unit]


def _size(settings: CameraSettings, shape: tuple[int, ...] | None) -> Asked:
    wanted = _shape_in_words((settings.height_px, settings.width_px, settings.channels))
    if shape is None:
        return Asked("width_px, height_px, channels", wanted)
    got = _shape_in_words(shape)
    return Asked("width_px, height_px, channels", wanted, got, wanted == got)


def _shape_in_words(shape: tuple[int, ...]) -> str:
    height, width, channels = (*shape, 1)[:3]
    return f"{width} x {height} {'mono' if channels == 1 else 'colour'}"


def _exposure(settings: CameraSettings, knobs: Mapping[str, Knob]) -> Asked:
    wanted = settings.exposure_ms
    for name in EXPOSURES:
        ms = in_ms(knobs[name]) if name in knobs else None
        if ms is not None:
            return Asked("exposure_ms", wanted, round(ms, 6), agree(wanted, ms))
    return Asked("exposure_ms", wanted)


def _gain(wanted: float, knobs: Mapping[str, Knob]) -> Asked:
    knob = knobs.get(GAIN, Knob(GAIN))
    return Asked("gain_db", wanted, knob.value, agree(wanted, knob.value, knob.step))


def _controls(settings: CameraSettings, knobs: Mapping[str, Knob]) -> Iterator[Asked]:
    for name, wanted in settings.controls.items():
        knob = knobs.get(name, Knob(name))
        yield Asked(f"controls.{name}", wanted, knob.value, agree(wanted, knob.value, knob.step))


def _refused(asked: Asked, why: str) -> Asked:
    return Asked(asked.key, asked.wanted, asked.got, is_taken=False, why=why)


def _is_number(value: Scalar) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
