"""Drawn boards, and parts that lie a known way off."""

import cv2
import numpy as np

SIZE = 320


def board(seed=1, height=SIZE, width=SIZE, margin=40):
    """Tracks and pads, binary, wider than the picture so that a shifted part shows true pixels at its edge."""
    rng = np.random.default_rng(seed)
    picture = np.full((height + 2 * margin, width + 2 * margin), 20, np.uint8)
    for _ in range(60):
        x, y = (int(rng.integers(0, side)) for side in picture.shape[::-1])
        long, thin = int(rng.integers(30, 120)), int(rng.integers(4, 9))
        across, down = (long, thin) if rng.random() < 0.5 else (thin, long)
        picture[y : y + down, x : x + across] = 220
    for _ in range(25):
        centre = tuple(int(rng.integers(0, side)) for side in picture.shape[::-1])
        cv2.circle(picture, centre, int(rng.integers(5, 11)), 220, -1)
    return picture


def view(whole, dx=0, dy=0, margin=40):
    """The part, moved right by dx and down by dy."""
    height, width = whole.shape[0] - 2 * margin, whole.shape[1] - 2 * margin
    return whole[margin - dy : margin - dy + height, margin - dx : margin - dx + width].copy()


def noisy(picture, sigma, seed=5):
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def periodic(period, whole=400):
    """Identical pads at a fixed pitch in both directions."""
    y, x = np.mgrid[:whole, :whole]
    return np.where((x % period < period // 2) & (y % period < period // 2), 220, 20).astype(np.uint8)
