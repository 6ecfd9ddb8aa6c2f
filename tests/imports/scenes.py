"""Rendered pictures on which the other libraries and ours are compared."""

from __future__ import annotations

import cv2
import numpy as np

SIZES = ((640, 480), (500, 700), (320, 320))
"""Width and height, in pixels: wider than high, higher than wide, and square."""


def scene(width_px: int, height_px: int, seed: int) -> np.ndarray:
    """A brushed plate with coloured parts, scratches and noise on it: uint8 (height, width, 3) BGR."""
    chance = np.random.default_rng(seed)
    shade = np.linspace(70, 170, width_px)[None, :, None] + np.linspace(-30, 30, height_px)[:, None, None]
    brushed = cv2.GaussianBlur(chance.normal(0, 40, (height_px, width_px, 3)), (0, 0), sigmaX=6, sigmaY=0.8)
    picture = np.clip(shade + brushed, 0, 255).astype(np.uint8)
    for _ in range(14):
        colour = tuple(int(level) for level in chance.integers(0, 256, 3))
        x, y = int(chance.integers(0, width_px)), int(chance.integers(0, height_px))
        size = int(chance.integers(8, min(width_px, height_px) // 5))
        kind = chance.integers(0, 3)
        if kind == 0:
            cv2.circle(picture, (x, y), size, colour, -1)
        elif kind == 1:
            cv2.rectangle(picture, (x, y), (x + size, y + size * 2), colour, -1)
        else:
            cv2.line(picture, (x, y), (x + 3 * size, y - size), colour, 3)
    noise = chance.integers(-8, 9, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def scenes() -> tuple[np.ndarray, ...]:
    """The pictures that every export is tried on."""
    return tuple(scene(width, height, seed) for seed, (width, height) in enumerate(SIZES))


def scenes_of(size: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Pictures of just the height and width that a net takes, for libraries that scale in a way of their own."""
    return tuple(scene(size[1], size[0], seed) for seed in range(3))


def letterboxed(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture about as a net sees it, to measure its signals on: float32 (1, 3, height, width) RGB, 0 .. 1."""
    height, width = size
    scale = min(height / picture.shape[0], width / picture.shape[1])
    scaled = cv2.resize(picture, (round(picture.shape[1] * scale), round(picture.shape[0] * scale)))
    padded = np.full((height, width, 3), 114, np.uint8)
    top, left = (height - scaled.shape[0]) // 2, (width - scaled.shape[1]) // 2
    padded[top : top + scaled.shape[0], left : left + scaled.shape[1]] = scaled
    return padded[None, ..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
