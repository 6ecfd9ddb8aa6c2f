"""Pictures to try an imported model on: the user's own, or drawn ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from app.detect.detector import InputSpec
from app.errors import DataError
from app.types import Image
from models.data import PICTURE_SUFFIXES, read_picture

DRAWN = 12
MOST_READ = 200

_SHAPES = 14
_SIDES = ((1.0, 1.0), (1.3, 0.9), (0.8, 1.1))
_MAX_SIDE_PX = 960
_MONO = 1


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A picture with a name that can be a file's.

    Attributes:
        name: The name, without a suffix.
        image: uint8 (H, W) grey or (H, W, 3) BGR.
    """

    name: str
    image: Image


def read_samples(folder: Path, channels: int) -> list[Sample]:
    """Reads the first pictures of a folder by name, `MOST_READ` at most.

    Raises:
        DataError: It is no folder, holds no picture, or one cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder", "give --samples a folder with pictures")
    paths = sorted(each for each in folder.iterdir() if each.suffix.lower() in PICTURE_SUFFIXES)[:MOST_READ]
    if not paths:
        raise DataError(f"{folder} holds no picture", f"put some there, {', '.join(PICTURE_SUFFIXES)}")
    return [Sample(path.stem, read_picture(path, channels)) for path in paths]


def draw_samples(spec: InputSpec, count: int = DRAWN) -> list[Sample]:
    """Draws pictures with much to find: shapes, lines and spots on uneven grounds; the same ones every time.

    A third has the model's own size; the others have another shape, so that the way they are laid into the input is
    tried too.
    """
    samples = []
    for number in range(count):
        random = np.random.default_rng(number)
        across, down = _SIDES[number % len(_SIDES)]
        shrink = min(1.0, _MAX_SIDE_PX / max(spec.width_px * across, spec.height_px * down))
        if number % len(_SIDES) == 0:
            shrink = 1.0
        width, height = round(spec.width_px * across * shrink), round(spec.height_px * down * shrink)
        image = _scene(random, width, height)
        if spec.channels == _MONO:
            image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        samples.append(Sample(f"drawn-{number:02}", image))
    return samples


def _scene(random: np.random.Generator, width: int, height: int) -> Image:
    """Smooth greyish ground, shapes of any colour, and light grain."""
    ground = (random.integers(40, 216, (3, 4, 1)) + random.integers(-20, 21, (3, 4, 3))).astype(np.uint8)
    image = np.asarray(cv2.resize(ground, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    for _ in range(_SHAPES):
        _draw_shape(random, image)
    grain = random.integers(0, 9, (height, width, 1), np.uint8)
    return np.asarray(cv2.add(image, np.repeat(grain, 3, axis=2)), np.uint8)


def _draw_shape(random: np.random.Generator, image: Image) -> None:
    height, width = image.shape[:2]
    x, y = int(random.integers(0, width)), int(random.integers(0, height))
    reach = max(2, round(min(width, height) * float(random.uniform(0.02, 0.25))))
    colour = tuple(int(each) for each in random.integers(0, 256, 3))
    thickness = -1 if random.random() < 0.6 else int(random.integers(1, 6))  # noqa: PLR2004 - most are filled
    kind = int(random.integers(0, 4))
    if kind == 0:
        cv2.circle(image, (x, y), reach, colour, thickness, cv2.LINE_AA)
    elif kind == 1:
        low = max(1, reach // int(random.integers(1, 4)))
        cv2.rectangle(image, (x, y), (x + reach, y + low), colour, thickness, cv2.LINE_AA)
    elif kind == 2:  # noqa: PLR2004 - the third of four
        end = (x + int(random.integers(-reach, reach + 1)), y + int(random.integers(-reach, reach + 1)))
        cv2.line(image, (x, y), end, colour, max(1, reach // 20), cv2.LINE_AA)
    else:
        corners = random.integers(-reach, reach + 1, (5, 2)) + np.array([x, y])
        cv2.fillPoly(image, [corners.astype(np.int32)], colour, cv2.LINE_AA)
