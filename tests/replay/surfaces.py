"""Draws surfaces with and without defects, for the golden frames of the packages that look at surfaces.

They are drawn from noise and shapes alone, so they may travel with a package. They look enough like rolled steel and
ground tiles for a model to find something; they prove a runtime, not a model.
"""

import cv2
import numpy as np

STEEL_PX = (200, 200)
TILE_PX = (360, 264)  # height, width


def steel(seed, defect=""):
    """A grey strip, uint8 (200, 200), with `scratch`, `inclusion`, `patch` or `pits` on it, or nothing."""
    random = np.random.default_rng(seed)
    strip = _grain(random, STEEL_PX, (1.0, 1.6), 9.0) + _grain(random, STEEL_PX, (30.0, 4.0), 6.0) + 120
    draw = {"scratch": _scratches, "inclusion": _inclusions, "patch": _patch, "pits": _pits}.get(defect)
    return _as_picture(draw(strip, random) if draw else strip)


def tile(seed, defect=""):
    """A grey tile, uint8 (360, 264), with `hole`, `crack` or `break` on it, or nothing."""
    random = np.random.default_rng(seed)
    surface = _grain(random, TILE_PX, (0.8, 6.0), 5.0) + _grain(random, TILE_PX, (40.0, 40.0), 4.0) + 105
    draw = {"hole": _holes, "crack": _crack, "break": _break}.get(defect)
    return _as_picture(draw(surface, random) if draw else surface)


def _grain(random, shape, sigma_px, levels):
    soft = cv2.GaussianBlur(random.standard_normal(shape).astype(np.float32), (0, 0), sigma_px[0], sigmaY=sigma_px[1])
    return soft * (levels / soft.std())


def _as_picture(surface):
    return np.clip(np.rint(surface), 0, 255).astype(np.uint8)


def _stroke(surface, points, width_px, levels):
    mask = np.zeros(surface.shape, np.uint8)
    cv2.polylines(mask, [np.asarray(points, np.int32)], False, 255, width_px, cv2.LINE_AA)
    return surface + levels * (cv2.GaussianBlur(mask, (0, 0), 0.7) / 255.0)


def _scratches(strip, random):
    for x in random.integers(40, 160, 2):
        ends = [(x, 5), (x + random.integers(-4, 5), 100), (x + random.integers(-6, 7), 195)]
        strip = _stroke(strip, ends, 3, 95)
    return strip


def _inclusions(strip, random):
    for x, y in random.integers(30, 150, (3, 2)):
        strip = _stroke(strip, [(x, y), (x + 1, y + 25), (x - 1, y + 45)], 5, -75)
    return strip


def _patch(strip, random):
    field = _grain(random, strip.shape, (9.0, 9.0), 1.0)
    mask = cv2.GaussianBlur((field > 0.7).astype(np.float32), (0, 0), 1.5)
    return strip - 70 * mask


def _pits(strip, random):
    for x, y in random.integers(50, 150, (60, 2)):
        strip = _stroke(strip, [(x, y), (x + 1, y + 1)], 3, -60)
    return strip


def _holes(surface, random):
    for x, y in random.integers(60, 200, (2, 2)):
        mask = np.zeros(surface.shape, np.uint8)
        cv2.ellipse(mask, (int(x), int(y) + 40), (6, 9), 20, 0, 360, 255, -1, cv2.LINE_AA)
        surface = surface - 70 * (cv2.GaussianBlur(mask, (0, 0), 1.0) / 255.0)
    return surface


def _crack(surface, random):
    x, points = 60.0, []
    for y in range(80, 300, 12):
        x += random.uniform(-2, 10)
        points.append((x, y))
    return _stroke(surface, points, 2, -60)


def _break(surface, random):
    corner = np.array([(264, 200), (205, 225), (190, 265), (215, 300), (264, 320)]) + random.integers(-6, 7, (5, 2))
    mask = np.zeros(surface.shape, np.uint8)
    cv2.fillPoly(mask, [corner.astype(np.int32)], 255)
    rough = _grain(random, surface.shape, (3.0, 3.0), 22.0)
    return surface + (rough + 55) * (cv2.GaussianBlur(mask, (0, 0), 1.2) / 255.0)
