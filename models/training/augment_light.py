"""What light, lens and camera do to a picture: brightness, contrast, fall-off, colour cast, blur, noise, streaks."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from models.data import Picture
from models.recipe import Augmentation

_FULL = 255.0
_EVEN = 0.5
_LEAST_BLUR_PX = 0.3
_CAST_SHARE = 0.25  # of the change in contrast: colours drift apart by less than they drift together
_GRAIN_PX = 1024
_LONG_PX, _SHORT_PX = (10.0, 80.0), (1.0, 4.0)
_STREAK_LEVELS = 10.0

Field = npt.NDArray[np.float32]


def lit(picture: Picture, odds: Augmentation, random: np.random.Generator) -> Picture:
    """Changes light, sharpness, noise and texture of a picture.

    Args:
        picture: uint8 (H, W) or (H, W, 3).
        odds: Odds and ranges.
        random: The only source of chance.
    """
    out = np.ascontiguousarray(picture, np.float32)
    rows, columns = out.shape[:2]
    if odds.blur_px and random.random() < _EVEN:
        sigma = random.uniform(0, odds.blur_px)
        if sigma > _LEAST_BLUR_PX:
            out = np.asarray(cv2.GaussianBlur(out, (0, 0), sigma), np.float32)
    mean = out.mean(axis=(0, 1), dtype=np.float32)
    gain = 1 + random.uniform(-odds.gain, odds.gain)
    if out.ndim > 2:  # noqa: PLR2004
        gain = gain * (1 + _CAST_SHARE * odds.gain * random.uniform(-1, 1, out.shape[2]))
    # The half rounds where the levels are cut off at the end.
    offset = _FULL * random.uniform(-odds.offset, odds.offset) + 0.5
    out = out * np.asarray(gain, np.float32) + np.asarray((1 - gain) * mean + offset, np.float32)
    for field in _fields(rows, columns, odds, random):
        out += field if out.ndim == 2 else field[:, :, None]  # noqa: PLR2004
    return np.asarray(np.clip(out, 0, _FULL), np.uint8)


def _fields(rows: int, columns: int, odds: Augmentation, random: np.random.Generator) -> list[Field]:
    """What is added to the levels, each broadcast to (rows, columns)."""
    fields: list[Field] = []
    if odds.gradient:
        across, down = random.uniform(-odds.gradient, odds.gradient, 2) * _FULL / 2
        fields.append(np.linspace(-across, across, columns, dtype=np.float32)[None])
        fields.append(np.linspace(-down, down, rows, dtype=np.float32)[:, None])
    if random.random() < odds.texture_probability:
        fields.append(_streaks(rows, columns, random))
    if odds.noise:
        fields.append(_noise(rows, columns, random) * np.float32(random.uniform(0, odds.noise) * _FULL))
    return fields


def _noise(rows: int, columns: int, random: np.random.Generator) -> Field:
    """A piece of the grain, upright or mirrored; larger pictures repeat it."""
    top, left = (int(random.integers(0, max(1, _GRAIN_PX - side + 1))) for side in (rows, columns))
    way = int(random.integers(4))
    grain = _grain()[:: -1 if way & 1 else 1, :: -1 if way & 2 else 1]
    piece = grain[top : top + rows, left : left + columns]
    if piece.shape == (rows, columns):
        return piece
    repeats = -(-rows // _GRAIN_PX), -(-columns // _GRAIN_PX)
    return np.asarray(np.tile(grain, repeats)[:rows, :columns], np.float32)


@lru_cache(maxsize=1)
def _grain() -> Field:
    """A fixed field of white noise with unit variance: drawing it anew for each crop costs half a batch's time."""
    return np.random.default_rng(0).standard_normal((_GRAIN_PX, _GRAIN_PX), dtype=np.float32)


def _streaks(rows: int, columns: int, random: np.random.Generator) -> Field:
    """Noise that is long in one direction and short in the other: drawn coarse, and stretched to size."""
    across, down = random.uniform(*_LONG_PX), random.uniform(*_SHORT_PX)
    if random.random() < _EVEN:
        across, down = down, across
    coarse = max(2, round(columns / across)), max(2, round(rows / down))
    noise = random.standard_normal(coarse[::-1], dtype=np.float32)
    soft = np.asarray(cv2.resize(noise, (columns, rows), interpolation=cv2.INTER_CUBIC), np.float32)
    depth = np.float32(random.uniform(0, _STREAK_LEVELS) / max(1e-6, float(soft.std())))
    return np.asarray(soft * depth, np.float32)
